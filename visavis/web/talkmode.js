// @ts-check
/** Who may speak when, on this side: the mode, and the button that is held or tapped (docs/turn-taking.md). */
import { clientMessage } from "./rtvi.js";

/** @typedef {"full_duplex" | "half_duplex" | "push_to_talk" | "tap_to_talk"} Mode */

/** @type {Mode[]} */
export const MODES = ["full_duplex", "half_duplex", "push_to_talk", "tap_to_talk"];

/** @param {unknown} wanted @returns {Mode | null} */
export const modeOf = (wanted) => MODES.find((each) => each === wanted) ?? null;

/** Event: `change`, of anything. */
export class TalkMode extends EventTarget {
  /** @type {Mode} */
  mode = "full_duplex";
  /** The person holds the button, or has tapped it. */
  held = false;
  /** The server listens. */
  open = true;

  /** @param {import("./session.js").Session} session */
  constructor(session) {
    super();
    this.session = session;
    session.addEventListener("message", (event) => {
      const { type, data } = /** @type {CustomEvent<import("./types.js").RtviMessage>} */ (event).detail;
      if (type === "server:microphone") this.#told(data);
    });
    session.addEventListener("state", () => session.state !== "live" && this.reset());
  }

  /** @param {string} message */
  #send(message) {
    return this.session.state === "live" && (this.session.peer?.send(message) ?? false);
  }

  /** Whether the microphone is silent unless a button says otherwise. */
  get manual() {
    return this.mode === "push_to_talk" || this.mode === "tap_to_talk";
  }

  /** A conversation begins, or its connection is gone. @param {Mode} [mode] */
  reset(mode = this.mode) {
    this.#set({ mode, held: false, open: true });
  }

  /** @param {Mode} mode */
  choose(mode) {
    if (mode === this.mode || !this.#send(clientMessage("mode", { mode }))) return false;
    this.#set({ mode, held: false });
    return true;
  }

  /** The person begins to speak, and says when done: whatever is being said is cut. */
  press() {
    const { session } = this;
    if (session.voice?.silent) return void session.reopenMicrophone();
    if (session.mutedByHand) session.setMuted(false);
    if (this.held || !this.#send(clientMessage("talk", { on: true }))) return false;
    this.#set({ held: true });
    return true;
  }

  /** The person is done: the answer begins at once. */
  release() {
    if (!this.held) return false;
    this.#set({ held: false });
    return this.#send(clientMessage("talk", { on: false }));
  }

  toggle() {
    return this.held ? this.release() : this.press();
  }

  /** The microphone is really silent unless it is to be heard. */
  gate() {
    this.session.voice?.setMuted(this.session.mutedByHand || (this.manual && !this.held));
  }

  /** The server takes the echo out where this browser does not. */
  tellCapture() {
    const { peer, voice } = this.session;
    if (voice) peer?.send(clientMessage("capture", { echo_cancelled: voice.echoCancelled }));
  }

  /** What the server tells. @param {Record<string, any>} data */
  #told(data) {
    const mode = modeOf(data.mode) ?? this.mode;
    const open = data.open !== false;
    // A silence has ended what a tap began; a button that is still pressed says so itself.
    const over = mode !== this.mode || (mode === "tap_to_talk" && !open);
    this.#set({ mode, open, held: this.held && !over });
  }

  /** @param {Partial<{mode: Mode, held: boolean, open: boolean}>} wanted */
  #set(wanted) {
    const before = `${this.mode} ${this.held} ${this.open}`;
    Object.assign(this, wanted);
    if (`${this.mode} ${this.held} ${this.open}` === before) return;
    this.gate();
    this.dispatchEvent(new Event("change"));
  }
}
