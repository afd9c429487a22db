// @ts-check
/** The state in words, at the top of the page. */
import { CHAT } from "../conversation.js";
import { onLanguage, t } from "../i18n.js";
import { announce, byId } from "./dom.js";

/**
 * @param {import("../session.js").Session} session
 * @param {import("../conversation.js").Conversation} talk
 * @returns {string} the key of the state's words
 */
export function stateKey(session, talk) {
  if (session.state === "reconnecting" && session.switching) return "switching";
  if (session.state !== "live") return session.state;
  if (talk.chatState === CHAT.CLOSING) return "closing";
  if (talk.chatState === CHAT.ASLEEP) return "asleep";
  if (session.talkMode.held) return "held";
  if (talk.speaking) return session.talkMode.open || session.talkMode.manual ? "speaking" : "speakingClosed";
  if (talk.hearing) return "hearing";
  if (talk.thinking) return "thinking";
  if (talk.chatState === CHAT.FALLING_ASLEEP) return talk.countdown?.kind === "sleep" ? "fallingAsleepIn" : "fallingAsleep";
  if (talk.chatState === CHAT.WAITING) return "waiting";
  if (session.voice?.silent) return "silent";
  if (session.talkMode.manual) return session.talkMode.mode === "push_to_talk" ? "hold" : "tap";
  return session.muted ? "muted" : "listening";
}

export class Status {
  #attempt = { n: 1, of: 1 };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #tick;

  /**
   * @param {import("../session.js").Session} session
   * @param {import("../conversation.js").Conversation} talk
   */
  constructor(session, talk) {
    this.session = session;
    this.talk = talk;
    session.talkMode.addEventListener("change", () => this.#show());
    session.addEventListener("attempt", (event) => {
      this.#attempt = /** @type {CustomEvent} */ (event).detail;
      this.#show();
    });
    for (const name of ["state", "muted"]) session.addEventListener(name, () => this.#show());
    talk.addEventListener("flow", () => this.#show());
    onLanguage(() => this.#show());
    this.#show();
  }

  /** Before the first word, and as long as it lasts. */
  #tellRecorded() {
    const sign = byId("recorded");
    const hidden = !this.session.job?.recorded || ["idle", "ended", "failed"].includes(this.session.state);
    if (sign.hidden && !hidden) announce(t("page.recordedTitle"));
    sign.hidden = hidden;
  }

  #show() {
    clearTimeout(this.#tick);
    const key = stateKey(this.session, this.talk);
    const left = Math.max(0, Math.ceil(((this.talk.countdown?.until ?? 0) - performance.now()) / 1000));
    const text = t(`state.${key}`, { ...this.#attempt, s: left });
    const place = byId("status-text");
    if (place.textContent !== text) place.textContent = text;
    document.body.dataset.state = this.session.state;
    this.#tellRecorded();
    document.body.dataset.flow = key;
    if (key === "fallingAsleepIn" && left > 0) this.#tick = setTimeout(() => this.#show(), 1000);
  }
}
