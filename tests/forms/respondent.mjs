// A person in front of ODK Web Forms: reads French labels, types, chooses, adds repeats, reads
// messages and sends. What a label does not say, the person does not know: no paths, no codes.

const exactly = (text) => new RegExp(`^\\s*${text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}\\s*$`);

// Web Forms has its own words for these in English only, and reads dates month first.
const SEND = "Send";
const asTyped = (date) => date.replace(/^(\d{4})-(\d\d)-(\d\d)$/, "$2/$3/$1");

export class Respondent {
    // `scope` is the part of the page that is looked at: all of it, or one repeat.
    constructor(page, scope = page.locator("#form"), seen = []) {
        this.page = page;
        this.scope = scope;
        this.seen = seen;
    }

    question(label) {
        const own = this.page.locator(".control-text label", { hasText: exactly(label) });
        return this.scope.locator(".question-container").filter({ has: own });
    }

    // Key by key: fields for numbers look at each.
    async text(label, answer) {
        const input = this.question(label).locator("input");
        await input.press("Control+a");
        await input.press("Delete");
        await input.pressSequentially(String(answer));
        await input.press("Tab");
    }

    // Escape and not Tab, which would open the calendar of the next question.
    async date(label, answer) {
        const input = this.question(label).locator("input");
        await input.fill(asTyped(answer));
        await input.press("Enter");
        await input.press("Escape");
        await input.blur();
    }

    // One of the choices in sight, or several of them.
    async choose(label, ...answers) {
        for (const answer of answers) {
            await this.question(label).locator(".value-option", { hasText: exactly(answer) }).click();
        }
    }

    // One or several of a list that opens.
    async pick(label, ...answers) {
        const question = this.question(label);
        await question.locator(".p-select, .p-multiselect").click();
        const list = this.page.getByRole("listbox");
        for (const answer of answers) {
            await list.getByRole("option", { name: answer, exact: true }).click();
        }
        if (await list.isVisible()) {
            await this.page.keyboard.press("Escape");
        }
        await list.waitFor({ state: "hidden" });
    }

    async reads(label, message) {
        await this.question(label).locator(".validation-message", { hasText: exactly(message) })
            .waitFor({ state: "visible" });
        this.seen.push(message);
    }

    async noMessage(label) {
        await this.question(label).locator(".validation-message").waitFor({ state: "hidden" });
    }

    // What a note says that begins like this.
    async reading(beginning) {
        return this.scope.locator(".question-container", { hasText: beginning }).innerText();
    }

    async notAsked(label) {
        await this.question(label).waitFor({ state: "hidden" });
    }

    repeats(title) {
        const heading = this.page.locator(".panel-title h2", { hasText: exactly(title) });
        return this.scope.locator(".is-repeat").filter({ has: heading });
    }

    // Adds one more and hands over a person who looks at nothing else.
    async add(title) {
        const before = await this.repeats(title).count();
        await this.scope.locator("button.button-add-instance", { hasText: exactly(`Add ${title}`) }).click();
        return this.at(title, before + 1);
    }

    at(title, number) {
        return new Respondent(this.page, this.repeats(title).nth(number - 1), this.seen);
    }

    async send() {
        await this.page.getByRole("button", { name: SEND, exact: true }).click();
    }

    // An invalid form must not leave; whatever it then says of its answers is read.
    async cannotSend(...expected) {
        await this.send();
        await this.page.locator(".form-error-message").waitFor({ state: "visible" });
        if (await this.page.evaluate(() => window.outcome) !== null) {
            throw new Error("an invalid form was sent");
        }
        const messages = this.page.locator(".validation-message:visible");
        for (const message of expected) {
            await messages.filter({ hasText: exactly(message) }).first().waitFor({ state: "visible" });
        }
        this.seen.push(...await messages.allInnerTexts());
    }

    async sent() {
        await this.send();
        return (await this.page.waitForFunction(() => window.outcome)).jsonValue();
    }
}
