// @ts-check
/** What the room tells, kept as the page shows it: states, lines, subtitle, latency. Knows no DOM and no network. */

/** @typedef {{who: "you" | "typed" | "them", text: string, interrupted: boolean}} Line */
/** @typedef {import("./types.js").RtviMessage} RtviMessage */

export const CHAT = Object.freeze({ WAITING: 0, CLOSING: 1, LINKED: 2, ASLEEP: 3, FALLING_ASLEEP: 4 });

/** Scripts that put no space between sentences. */
const DENSE = /[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]$/;

/** Events: `flow` (any state), `line` ({line, fresh}), `subtitle`, `latency`, `language`. */
export class Conversation extends EventTarget {
  /** @type {number} */
  chatState = CHAT.WAITING;
  speaking = false;
  hearing = false;
  thinking = false;
  chatId = "";
  language = "";
  /** @type {Line[]} */
  lines = [];
  subtitle = { text: "", language: "" };
  /** @type {Record<string, number> | null} */
  latency = null;
  /** @type {{kind: "sleep" | "end", until: number} | null} `until` on the clock of performance.now(), ms */
  countdown = null;
  /** @type {Line | null} the answer that further sentences belong to */
  answer = null;
  typed = "";

  /** A new conversation begins. */
  reset() {
    this.chatState = CHAT.WAITING;
    this.chatId = this.language = this.typed = "";
    this.lines = [];
    this.latency = this.answer = null;
    this.pauseFlow();
    this.#tell("latency");
  }

  /** @param {string} name @param {unknown} [detail] */
  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** The connection is gone: nobody speaks and nothing is shown until the server says so again. */
  pauseFlow() {
    this.speaking = this.hearing = this.thinking = false;
    this.countdown = null;
    this.#setSubtitle("", "");
    this.#tell("flow");
  }

  /** @param {Line} line */
  #add(line) {
    this.lines.push(line);
    this.#tell("line", { line, fresh: true });
  }

  /** A question typed here. @param {string} text */
  asked(text) {
    this.typed = text;
    this.answer = null;
    this.thinking = true;
    this.#add({ who: "typed", text, interrupted: false });
    this.#tell("flow");
  }

  /** @param {RtviMessage} message */
  receive({ type, data }) {
    switch (type) {
      case "user-started-speaking":
        this.hearing = true;
        this.#awake();
        break;
      case "user-stopped-speaking":
        this.hearing = false;
        this.thinking = true;
        break;
      case "user-transcription":
        this.#heard(String(data.text ?? ""));
        break;
      case "bot-started-speaking":
        this.speaking = true;
        this.thinking = false;
        this.#awake();
        break;
      case "bot-stopped-speaking":
        this.speaking = false;
        break;
      case "bot-output":
        this.#said(String(data.text ?? ""));
        return;
      case "bot-interruption":
        this.#interrupted(String(data.spoken ?? ""));
        break;
      case "server:subtitle":
        if (data.chat_id) this.chatId = String(data.chat_id);
        this.#setSubtitle(String(data.text ?? ""), String(data.language ?? ""));
        return;
      case "server:jobInfoChange":
        this.#chatState(Number(data.chat_state), data.restTime);
        break;
      case "server:enterSleep":
        this.#chatState(CHAT.ASLEEP);
        break;
      case "server:enterActive":
        this.#chatState(CHAT.LINKED);
        break;
      case "server:jobEndMention":
        this.countdown = { kind: "end", until: performance.now() + 1000 * Number(data.restTime ?? 0) };
        break;
      case "server:languageInfoChange":
        this.language = String(data.language ?? "");
        this.#tell("language");
        return;
      case "server:latency":
        this.latency = data.stages ?? null;
        this.#tell("latency");
        return;
      default:
        return;
    }
    this.#tell("flow");
  }

  #awake() {
    this.countdown = null;
  }

  /** @param {number} state @param {unknown} [restTime] seconds until it sleeps, where the server tells */
  #chatState(state, restTime) {
    if (state === this.chatState && restTime === undefined) return;
    this.chatState = state;
    if (state === CHAT.ASLEEP) {
      this.speaking = this.hearing = this.thinking = false;
      this.#setSubtitle("", "");
    }
    const falling = state === CHAT.FALLING_ASLEEP && Number(restTime) > 0;
    if (falling) this.countdown = { kind: "sleep", until: performance.now() + 1000 * Number(restTime) };
    else if (this.countdown?.kind === "sleep") this.countdown = null;
  }

  /** @param {string} text */
  #heard(text) {
    this.hearing = false;
    this.#awake();
    this.answer = null;
    if (!text.trim()) return void (this.thinking = false);
    this.thinking = !this.speaking;
    // A typed question may come back as if it had been heard: it is in the transcript already.
    if (text === this.typed) this.typed = "";
    else this.#add({ who: "you", text, interrupted: false });
  }

  /** @param {string} text one sentence that begins to sound */
  #said(text) {
    this.thinking = false;
    if (!text) return;
    if (!this.answer) {
      this.answer = { who: "them", text, interrupted: false };
      return this.#add(this.answer);
    }
    this.answer.text += (DENSE.test(this.answer.text) ? "" : " ") + text;
    this.#tell("line", { line: this.answer, fresh: false, added: text });
  }

  /** @param {string} spoken what was really heard of the answer */
  #interrupted(spoken) {
    this.speaking = false;
    this.#setSubtitle("", "");
    const line = this.answer ?? this.lines.findLast((each) => each.who === "them");
    this.answer = null;
    if (!line || line.interrupted) return;
    const at = spoken ? line.text.lastIndexOf(spoken) : -1;
    line.text = at >= 0 ? line.text.slice(0, at + spoken.length) : spoken;
    line.interrupted = true;
    this.#tell("line", { line, fresh: false });
  }

  /** @param {string} text @param {string} language */
  #setSubtitle(text, language) {
    this.subtitle = { text, language };
    this.#tell("subtitle");
  }
}
