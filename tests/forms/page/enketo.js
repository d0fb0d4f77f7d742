// Enketo's transformer at work on a form of Relais, and a count of what it made of it.
import { transform } from "enketo-transformer";
import { fetchForm } from "./relais.js";

const count = (root, selector) => root.querySelectorAll(selector).length;

// Enketo writes "-" where a form has no text.
const blank = (element) => ["", "-"].includes(element.textContent.trim());

const languageOf = (html, lang) => {
    const texts = [...html.querySelectorAll(`span[lang="${lang}"]`)];
    return {
        blank: texts.filter(blank).length,
        labels: count(html, `.question-label[lang="${lang}"]`),
        hints: count(html, `.or-hint[lang="${lang}"]`),
        messages: count(html, `.or-constraint-msg[lang="${lang}"]`),
        choices: count(html, `.option-label[lang="${lang}"]`),
    };
};

const sumOf = (root, ...selectors) => selectors.reduce((sum, selector) => sum + count(root, selector), 0);

export const transformForm = async (base, formId) => {
    const { xml, media } = await fetchForm(base, formId);
    const { form, model } = await transform({ xform: xml, media, theme: "grid" });
    const source = new DOMParser().parseFromString(xml, "text/xml");
    const html = new DOMParser().parseFromString(form, "text/html");
    const data = new DOMParser().parseFromString(model, "text/xml");
    const languages = [...html.querySelectorAll("#form-languages option")].map((one) => one.value);
    return {
        broken: count(data, "parsererror"),
        defaultLanguage: html.querySelector("#form-languages").dataset.defaultLang,
        languages: Object.fromEntries(languages.map((lang) => [lang, languageOf(html, lang)])),
        made: {
            questions: count(html, ".question"),
            repeats: count(html, ".or-repeat"),
            instances: count(data, "instance"),
        },
        asked: {
            questions: sumOf(source, "body input", "body select", "body select1"),
            repeats: count(source, "body repeat"),
            instances: count(source, "model > instance"),
        },
    };
};
