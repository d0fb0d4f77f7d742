// usage: node run.mjs transform|fill --relais URL --work DIR --pictures DIR FORM...
//
// transform  has Enketo's transformer take each form and prints what it made of it
// fill       has a person fill each form in ODK Web Forms, as answers/FORM.mjs says, and send it
//
// Prints one JSON object, by form. Forms and lists come from the Relais at URL; the browser's
// profile goes below --work. When something goes wrong, a picture of the page is left in
// --pictures, and its path is printed with the reason.
import { mkdtempSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { Respondent } from "./respondent.mjs";
import { startSite } from "./site.mjs";

const here = dirname(fileURLToPath(import.meta.url));

// No step of a person takes longer, even on a busy machine.
const PATIENCE_MS = 30_000;

const BROWSER_ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"];

const openBrowser = async (work) => {
    const context = await chromium.launchPersistentContext(mkdtempSync(join(work, "profile-")), {
        executablePath: "/usr/bin/chromium",
        args: BROWSER_ARGUMENTS,
        locale: "fr-FR",
        timezoneId: "Africa/Ouagadougou",
        viewport: { width: 1000, height: 1400 },
    });
    context.setDefaultTimeout(PATIENCE_MS);
    return context;
};

const loaded = async (page) => {
    await page.locator(".form-initialization-status:is(.ready, .error)").waitFor({ state: "attached" });
    if (await page.locator(".form-initialization-status.error").count() > 0) {
        throw new Error(`Web Forms refuses the form: ${await page.getByRole("dialog").innerText()}`);
    }
};

const jobs = {
    transform: (page, base, form) => page.evaluate(
        async ([base, form]) => (await import("/page/enketo.js")).transformForm(base, form), [base, form]),

    fill: async (page, base, form) => {
        await page.evaluate(
            async ([base, form]) => (await import("/page/webforms.js")).showForm(base, form), [base, form]);
        await loaded(page);
        const { default: answers } = await import(`./answers/${form}.mjs`);
        const person = new Respondent(page);
        const noted = await answers(person);
        return { ...await person.sent(), seen: person.seen, noted };
    },
};

// Whatever the engine complains of while it works is part of the answer.
const collectComplaints = (page) => {
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    return complaints;
};

// `stage` is what all forms share: { site, base, context, pictures }.
const work = async (job, form, { site, base, context, pictures }) => {
    const page = await context.newPage();
    const complaints = collectComplaints(page);
    try {
        await page.goto(site);
        return { ...await job(page, base, form), complaints };
    } catch (error) {
        const picture = join(pictures, `${form}.png`);
        await page.screenshot({ path: picture, fullPage: true }).catch(() => {});
        throw new Error(`${form}: ${error.message}\nThe page: ${picture}\n${complaints.join("\n")}`, { cause: error });
    } finally {
        await page.close();
    }
};

const main = async () => {
    const { values, positionals: [job, ...forms] } = parseArgs({
        allowPositionals: true,
        options: { relais: { type: "string" }, work: { type: "string" }, pictures: { type: "string" } },
    });
    const relais = new URL(values.relais);
    const server = await startSite({
        pages: join(here, "page"), modules: join(here, "node_modules"), relais: relais.origin });
    const context = await openBrowser(values.work);
    const stage = {
        site: `http://127.0.0.1:${server.address().port}/`,
        base: `/relais${relais.pathname}`,
        context,
        pictures: values.pictures,
    };
    try {
        const results = {};
        for (const form of forms) {
            results[form] = await work(jobs[job], form, stage);
        }
        process.stdout.write(`${JSON.stringify(results)}\n`);
    } finally {
        await context.close();
        server.close();
    }
};

await main();
