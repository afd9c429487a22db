// @ts-check
/** Questions that the digital human proposes to be asked: one tap asks. */
import { language, onLanguage } from "../i18n.js";
import { byId, make } from "./dom.js";

export class Questions {
  #box = byId("questions");
  #shown = "";

  /**
   * @param {import("../session.js").Session} session
   * @param {import("../conversation.js").Conversation} talk
   */
  constructor(session, talk) {
    this.session = session;
    this.talk = talk;
    for (const name of ["questions", "language", "flow"]) talk.addEventListener(name, () => this.#show());
    session.addEventListener("state", () => this.#show());
    onLanguage(() => this.#show());
  }

  /** Those of the conversation's language, else of the page's, else of any. @returns {[string, string[]]} */
  #choice() {
    const { questions, language: spoken } = this.talk;
    for (const name of [spoken, language() === "zh" ? "CN" : "EN", ...Object.keys(questions)]) {
      if (questions[name]?.length) return [name, questions[name]];
    }
    return ["", []];
  }

  #show() {
    const [name, texts] = this.#choice();
    const { speaking, hearing, thinking } = this.talk;
    // While somebody speaks they would stand in the way; who holds one of them with the keyboard keeps it.
    const busy = (speaking || hearing || thinking) && !this.#box.contains(document.activeElement);
    this.#box.hidden = !texts.length || this.session.state !== "live" || document.body.dataset.asleep === "true" || busy;
    const key = JSON.stringify([name, texts]);
    if (key === this.#shown) return;
    this.#shown = key;
    this.#box.lang = name === "CN" ? "zh-CN" : "en";
    this.#box.replaceChildren(
      ...texts.map((text) => {
        const ask = make("button", { type: "button", title: text }, text);
        ask.addEventListener("click", () => this.session.ask(text));
        return ask;
      }),
    );
  }
}
