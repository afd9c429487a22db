// @ts-check
/** Who said what. */
import { onLanguage, t } from "../i18n.js";
import { announce, byId, make } from "./dom.js";

/** @typedef {import("../conversation.js").Line} Line */
const NAMES = { you: "transcript.you", typed: "transcript.youTyped", them: "transcript.them" };

export class Transcript {
  #box = byId("transcript");
  #list = /** @type {HTMLElement} */ (this.#box.querySelector("ol"));
  #empty = /** @type {HTMLElement} */ (this.#box.querySelector(".empty"));
  /** @type {Map<Line, HTMLElement>} */
  #items = new Map();
  /** @type {Set<Line>} */
  #unread = new Set();

  /** @param {import("../conversation.js").Conversation} talk */
  constructor(talk) {
    this.talk = talk;
    talk.addEventListener("line", (event) => {
      const { line, fresh, added, gone } = /** @type {CustomEvent} */ (event).detail;
      if (gone) return this.#remove(line);
      this.#put(line);
      // Who listens hears what was said when it was said to its end.
      if (line.partial) return this.#unread.add(line);
      if (fresh || this.#unread.delete(line)) announce(`${t(/** @type {Record<string, string>} */ (NAMES)[line.who])}: ${line.text}`);
      else if (added) announce(added);
      else if (line.interrupted) announce(t("transcript.interrupted"));
    });
    onLanguage(() => this.#items.forEach((_, line) => this.#put(line)));
  }

  clear() {
    this.#items.clear();
    this.#unread.clear();
    this.#list.replaceChildren();
    this.#empty.hidden = false;
  }

  /** @param {Line} line */
  #remove(line) {
    this.#items.get(line)?.remove();
    this.#items.delete(line);
    this.#unread.delete(line);
    this.#empty.hidden = this.#items.size > 0;
  }

  /** @param {Line} line */
  #put(line) {
    const atEnd = this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight < 60;
    let item = this.#items.get(line);
    if (!item) {
      item = make("li", { class: line.who === "them" ? "them" : "you" });
      this.#items.set(line, item);
      this.#list.append(item);
      this.#empty.hidden = true;
    }
    const words = make("p", {}, line.text || t("transcript.nothing"));
    const name = make("span", { class: "who" }, t(NAMES[line.who]));
    item.replaceChildren(name, words);
    if (line.interrupted) {
      item.classList.add("interrupted");
      item.append(make("span", { class: "mark" }, t("transcript.interrupted")));
    }
    // Whoever reads further up is not dragged down.
    if (atEnd) this.#box.scrollTop = this.#box.scrollHeight;
  }
}
