// @ts-check
/** The controls under the picture, and the line to type into. */
import { onLanguage } from "../i18n.js";
import { button, byId, input } from "./dom.js";
import { TalkButton } from "./talkbutton.js";

const LEVEL_MS = 60;

export class Dock {
  #mic = button("mic");
  #talk;
  #form = /** @type {HTMLFormElement} */ (byId("ask"));
  #text = input("ask-text");
  #lastLevel = 0;
  #watching = false;

  /**
   * @param {import("../session.js").Session} session
   * @param {import("../conversation.js").Conversation} talk
   */
  constructor(session, talk) {
    this.session = session;
    this.talk = talk;
    this.#talk = new TalkButton(session);
    button("type").addEventListener("click", () => this.toggleText());
    button("ask-close").addEventListener("click", () => this.toggleText(false));
    button("interrupt").addEventListener("click", () => session.interrupt());
    button("end").addEventListener("click", () => void session.stop());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#ask();
    });
    for (const name of ["state", "muted"]) session.addEventListener(name, () => this.#show());
    talk.addEventListener("flow", () => this.#show());
    onLanguage(() => this.#show());
    this.#show();
  }

  toggleMic() {
    this.#talk.toggle();
  }

  /** @param {boolean} [open] */
  toggleText(open = !this.textOpen) {
    this.#form.hidden = !open;
    button("type").setAttribute("aria-expanded", String(open));
    if (open) this.#text.focus();
    else button("type").focus();
  }

  get textOpen() {
    return this.#form.hidden === false;
  }

  #ask() {
    const text = this.#text.value.trim();
    if (text && this.session.ask(text)) this.#text.value = "";
    this.#text.focus();
  }

  #show() {
    const { state } = this.session;
    const live = state === "live";
    // Not `disabled`: a focused control that is switched off loses the keyboard's place.
    button("interrupt").setAttribute("aria-disabled", String(!(live && this.talk.speaking)));
    button("type").setAttribute("aria-disabled", String(!live));
    button("ask-send").setAttribute("aria-disabled", String(!live));
    if (live && !this.#watching) {
      this.#watching = true;
      requestAnimationFrame((now) => this.#level(now));
      if (this.session.voice?.silent) this.toggleText(true);
    }
    if (["ended", "failed", "idle"].includes(state)) this.#form.hidden = true;
  }

  /** @param {number} now */
  #level(now) {
    if (this.session.state !== "live") {
      this.#watching = false;
      this.#mic.style.setProperty("--level", "0");
      return;
    }
    if (now - this.#lastLevel >= LEVEL_MS) {
      this.#lastLevel = now;
      this.#mic.style.setProperty("--level", (this.session.voice?.level() ?? 0).toFixed(2));
    }
    requestAnimationFrame((then) => this.#level(then));
  }
}
