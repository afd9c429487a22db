// @ts-check
/** What the room tells, kept as the page shows it: states, lines, subtitle, latency. Knows no DOM and no network. */

/**
 * @typedef {object} Line
 * @property {"you" | "typed" | "them"} who
 * @property {string} text
 * @property {boolean} interrupted
 * @property {boolean} [partial] what was heard so far, while the person speaks on
 */
/** @typedef {{text: string, language: string, said: number}} Subtitle `said`: characters of `text` that have begun to sound */
/** @typedef {import("./types.js").RtviMessage} RtviMessage */

export const CHAT = Object.freeze({ WAITING: 0, CLOSING: 1, LINKED: 2, ASLEEP: 3, FALLING_ASLEEP: 4 });

/** Scripts that put no space between sentences. */
const DENSE = /[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]$/;

/** Words are shown at most so late, milliseconds: the sound they go with may have been lost. */
const LATEST = 1000;

/** Events: `flow` (any state), `line` ({line, fresh, added, gone}), `subtitle`, `latency`, `language`, `questions`. */
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
  /** @type {Subtitle} */
  subtitle = { text: "", language: "", said: 0 };
  /** What may be asked with one tap, by language. @type {Record<string, string[]>} */
  questions = {};
  /** In how many milliseconds the moment `pts` of the stage clock is heard here. @type {(pts: number) => number} */
  heardIn = () => 0;
  /** @type {Record<string, number> | null} */
  latency = null;
  /** @type {{kind: "sleep" | "end", until: number} | null} `until` on the clock of performance.now(), ms */
  countdown = null;
  /** @type {Line | null} the answer that further sentences belong to */
  answer = null;
  typed = "";
  /** @type {Line | null} what the person is saying */
  #saying = null;
  /** What waits for its sound belongs to this run of speech. */
  #run = 0;

  /** A new conversation begins. */
  reset() {
    this.chatState = CHAT.WAITING;
    this.chatId = this.language = this.typed = "";
    this.lines = [];
    this.questions = {};
    this.latency = this.answer = this.#saying = null;
    this.pauseFlow();
    this.#tell("latency");
    this.#tell("questions");
  }

  /** @param {string} name @param {unknown} [detail] */
  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** The connection is gone: nobody speaks and nothing is shown until the server says so again. */
  pauseFlow() {
    this.speaking = this.hearing = this.thinking = false;
    this.countdown = null;
    this.#noSubtitle();
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
        this.#heard(String(data.text ?? ""), data.final !== false);
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
      case "bot-tts-text":
        this.#word(String(data.text ?? ""), data.pts);
        return;
      case "bot-interruption":
        this.#interrupted(String(data.spoken ?? ""));
        break;
      case "server:subtitle":
        if (data.chat_id) this.chatId = String(data.chat_id);
        this.#sentence(String(data.text ?? ""), String(data.language ?? ""), data.words === true ? data.pts : undefined);
        return;
      case "server:hotQuestions":
        this.questions = data.questions ?? {};
        this.#tell("questions");
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
      this.#noSubtitle();
    }
    const falling = state === CHAT.FALLING_ASLEEP && Number(restTime) > 0;
    if (falling) this.countdown = { kind: "sleep", until: performance.now() + 1000 * Number(restTime) };
    else if (this.countdown?.kind === "sleep") this.countdown = null;
  }

  /** @param {string} text what was heard @param {boolean} final false: so far; the next replaces it */
  #heard(text, final) {
    this.#awake();
    if (!final) {
      if (this.#saying) this.#replace(this.#saying, text);
      else this.#add((this.#saying = { who: "you", text, interrupted: false, partial: true }));
      return;
    }
    const saying = this.#saying;
    this.#saying = null;
    this.hearing = false;
    this.answer = null;
    if (!text.trim()) {
      this.thinking = false;
      if (saying) this.#forget(saying);
      return;
    }
    this.thinking = !this.speaking;
    // A typed question may come back as if it had been heard: it is in the transcript already.
    if (text === this.typed) this.typed = "";
    else if (saying) this.#replace(Object.assign(saying, { partial: false }), text);
    else this.#add({ who: "you", text, interrupted: false });
  }

  /** It was nothing that anybody said. @param {Line} line */
  #forget(line) {
    this.lines = this.lines.filter((each) => each !== line);
    this.#tell("line", { line, gone: true });
  }

  /** @param {Line} line @param {string} text */
  #replace(line, text) {
    line.text = text;
    this.#tell("line", { line, fresh: false });
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
    this.#noSubtitle();
    const line = this.answer ?? this.lines.findLast((each) => each.who === "them");
    this.answer = null;
    if (!line || line.interrupted) return;
    const at = spoken ? line.text.lastIndexOf(spoken) : -1;
    line.text = at >= 0 ? line.text.slice(0, at + spoken.length) : spoken;
    line.interrupted = true;
    this.#tell("line", { line, fresh: false });
  }

  /**
   * A sentence begins to sound, or the last one is over.
   * @param {string} text "": there is none
   * @param {string} language
   * @param {number} [pts] its words are told one by one, from this moment of the stage clock on
   */
  #sentence(text, language, pts) {
    this.#later(pts, () => {
      this.subtitle = { text, language, said: pts === undefined ? text.length : 0 };
      this.#tell("subtitle");
    });
  }

  /** @param {string} text a word that begins to sound @param {number} pts */
  #word(text, pts) {
    this.#later(pts, () => {
      const { subtitle } = this;
      const at = subtitle.text.indexOf(text, subtitle.said);
      if (at < 0) return;
      subtitle.said = at + text.length;
      this.#tell("subtitle");
    });
  }

  #noSubtitle() {
    this.#run += 1;
    this.subtitle = { text: "", language: "", said: 0 };
    this.#tell("subtitle");
  }

  /** Do it when this moment of the stage clock is heard, unless speech was cut before. @param {number | undefined} pts @param {() => void} what */
  #later(pts, what) {
    const wait = typeof pts === "number" ? Math.min(LATEST, this.heardIn(pts)) : 0;
    const run = this.#run;
    if (!(wait > 0)) what();
    else setTimeout(() => run === this.#run && what(), wait);
  }
}
