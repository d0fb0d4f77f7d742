// What the page asks of Relais: a form and its lists, as the server announces them.

// Relais announces absolute addresses of its own; the page reaches them through its site.
const own = (address) => "/relais" + new URL(address).pathname;

export const fetchRelais = async (path, options = {}) => {
    const response = await fetch(path, { ...options, headers: { "X-OpenRosa-Version": "1.0" } });
    if (!response.ok) {
        throw new Error(`${path}: ${response.status}`);
    }
    return response;
};

const fetchXml = async (path) =>
    new DOMParser().parseFromString(await (await fetchRelais(path)).text(), "text/xml");

const textOf = (element, name) => element.getElementsByTagName(name)[0]?.textContent;

// { xml, media }: the form's text and, by file name, where its lists are.
export const fetchForm = async (base, formId) => {
    const list = await fetchXml(`${base}/formList`);
    const entry = [...list.getElementsByTagName("xform")].find((one) => textOf(one, "formID") === formId);
    const manifest = await fetchXml(own(textOf(entry, "manifestUrl")));
    const media = [...manifest.getElementsByTagName("mediaFile")]
        .map((file) => [textOf(file, "filename"), own(textOf(file, "downloadUrl"))]);
    return {
        xml: await (await fetchRelais(own(textOf(entry, "downloadUrl")))).text(),
        media: Object.fromEntries(media),
    };
};

// A jr:// address of a list, by its file name.
export const fetchList = (form) => (address) => fetchRelais(form.media[String(address).split("/").pop()]);
