// The host application around ODK Web Forms: shows a form of Relais, and sends what the engine
// hands over as it is.
import { createApp, h } from "vue";
import { OdkWebForm, webFormsPlugin } from "@getodk/web-forms";
import { fetchForm, fetchList, fetchRelais } from "./relais.js";

const partsOf = async (body) => Promise.all([...body.entries()].map(async ([name, file]) =>
    ({ name, filename: file.name, type: file.type, text: await file.text() })));

// One whole instance and its files in one FormData: the browser writes the multipart body.
const send = async (base, payload) => {
    const [body] = payload.data;
    const response = await fetchRelais(`${base}/submission`, { method: "POST", body });
    return { status: response.status, payload: payload.status, parts: await partsOf(body) };
};

// What the host's caller reads: the submission that was sent, or why it was not.
window.outcome = null;

export const showForm = async (base, formId) => {
    const form = await fetchForm(base, formId);
    createApp({
        render: () => h(OdkWebForm, {
            formXml: form.xml,
            fetchFormAttachment: fetchList(form),
            onSubmit: async (payload) => {
                window.outcome = await send(base, payload).catch((error) => ({ error: String(error) }));
            },
        }),
    }).use(webFormsPlugin).mount("#form");
};
