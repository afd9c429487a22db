// @ts-check
/** The microphone's button: it mutes, is held, or is tapped, by the mode of talking. And the choice of that mode. */
import { modeOf } from "../talkmode.js";
import { onLanguage, t } from "../i18n.js";
import { announce, button, byId, setIcon } from "./dom.js";

/** Words of the button: what it does now. @type {Record<string, [string, string]>} caption and label, at rest and held */
const WORDS = {
  push_to_talk: ["dock.hold", "dock.letGo"],
  tap_to_talk: ["dock.tap", "dock.done"],
};

export class TalkButton {
  #mic = button("mic");
  #select = /** @type {HTMLSelectElement} */ (byId("talk-mode"));

  /** @param {import("../session.js").Session} session */
  constructor(session) {
    this.session = session;
    const mic = this.#mic;
    const push = () => session.talkMode.mode === "push_to_talk";
    mic.addEventListener("pointerdown", (event) => {
      if (!push() || event.button !== 0) return;
      mic.setPointerCapture(event.pointerId); // the finger may slip off the button
      session.talkMode.press();
    });
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      mic.addEventListener(name, () => push() && session.talkMode.release());
    }
    mic.addEventListener("contextmenu", (event) => push() && event.preventDefault());
    mic.addEventListener("keydown", (event) => {
      if (!push() || ![" ", "Enter"].includes(event.key)) return;
      event.preventDefault();
      if (!event.repeat) session.talkMode.press();
    });
    mic.addEventListener("keyup", (event) => {
      if (!push() || ![" ", "Enter"].includes(event.key)) return;
      event.preventDefault();
      session.talkMode.release();
    });
    mic.addEventListener("blur", () => push() && session.talkMode.release());
    mic.addEventListener("click", (event) => {
      // A click without a pointer is that of a screen reader, which cannot hold: it toggles.
      if (!push() || event.detail === 0) this.toggle();
    });
    this.#select.addEventListener("change", () => {
      const mode = modeOf(this.#select.value);
      if (!mode || !session.talkMode.choose(mode)) this.#show();
    });
    session.talkMode.addEventListener("change", () => this.#show());
    for (const name of ["state", "muted"]) session.addEventListener(name, () => this.#show());
    onLanguage(() => this.#show());
    this.#show();
  }

  /** What the button does when it is pressed once. */
  toggle() {
    const { session } = this;
    if (!session.talkMode.manual) return session.setMuted(!session.muted);
    session.talkMode.toggle();
  }

  #show() {
    const { session } = this;
    const { mode, held, manual, open } = session.talkMode;
    const { muted } = session;
    const before = document.body.dataset.talk;
    document.body.dataset.talk = manual ? (held ? "held" : "waiting") : open ? "open" : "closed";
    if (manual && held && before !== "held") announce(t("state.held"));
    if (document.activeElement !== this.#select || this.#select.value !== mode) this.#select.value = mode;
    this.#select.disabled = session.state !== "live";
    const words = WORDS[mode]?.[held ? 1 : 0];
    const label = t(words ?? (muted ? "dock.micOn" : "dock.micOff"));
    this.#mic.setAttribute("aria-pressed", String(manual ? held : muted));
    this.#mic.setAttribute("aria-label", label);
    this.#mic.title = label;
    /** @type {HTMLElement} */ (this.#mic.querySelector(".caption")).textContent = t(words ? `${words}Short` : muted ? "dock.unmute" : "dock.mute");
    setIcon(this.#mic, manual ? "mic" : muted || !open ? "mic-off" : "mic");
    const word = session.job?.wake_words?.[0];
    byId("sleep-how").textContent = word ? t("sleep.howWord", { word }) : t(manual ? "sleep.howButton" : "sleep.how");
  }
}
