// @ts-check
/** Where the last answer's time went, and how the connection fares. */
import { mediaReport } from "../diagnose.js";
import { has, onLanguage, t } from "../i18n.js";
import { byId, fillList, make } from "./dom.js";

const EVERY_MS = 1000;

export class Details {
  #latency = byId("latency");
  #select = /** @type {HTMLSelectElement} */ (byId("speech-language"));
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {import("../session.js").Session} session
   * @param {import("../conversation.js").Conversation} talk
   * @param {import("./panel.js").Panel} panel
   */
  constructor(session, talk, panel) {
    this.session = session;
    this.talk = talk;
    this.panel = panel;
    this.#select.addEventListener("change", () => session.speak(/** @type {any} */ (this.#select.value)));
    talk.addEventListener("language", () => this.#showLanguage());
    talk.addEventListener("latency", () => this.#showLatency());
    byId("panel").addEventListener("pagechange", () => void this.#measure());
    session.addEventListener("state", () => void this.#measure());
    onLanguage(() => this.#showLatency());
    this.#showLatency();
  }

  #showLanguage() {
    // "Automatic" stays chosen: then the language named is only the one of the last turn.
    if (this.#select.value !== "AUTO" && ["CN", "EN"].includes(this.talk.language)) this.#select.value = this.talk.language;
  }

  /** Stages are seconds since the end of the person's speech, each counted from there: bars show the differences. */
  #showLatency() {
    /** @type {[string, number][]} */
    const stages = Object.entries(this.talk.latency ?? {});
    stages.sort((a, b) => a[1] - b[1]);
    if (!stages.length) return this.#latency.replaceChildren(make("p", { class: "quiet" }, t("details.latencyNone")));
    const total = Math.max(stages[stages.length - 1][1], 0.001);
    const list = make("ol", { class: "bars" });
    let before = 0;
    for (const [name, seconds] of stages) {
      const took = Math.max(0, seconds - before);
      const bar = make("span", { class: "bar", "aria-hidden": "true" }, make("span"));
      const fill = /** @type {HTMLElement} */ (bar.firstElementChild);
      fill.style.marginInlineStart = `${(before / total) * 100}%`;
      fill.style.width = `${(took / total) * 100}%`;
      const label = has(`stage.${name}`) ? t(`stage.${name}`) : name;
      list.append(make("li", {}, make("span", {}, label), make("span", { class: "num" }, `${took.toFixed(2)} s`), bar));
      before = Math.max(before, seconds);
    }
    this.#latency.replaceChildren(make("p", { class: "total" }, t("details.total", { s: total.toFixed(2) })), list);
  }

  /** Measures only while somebody looks. */
  async #measure() {
    clearTimeout(this.#timer);
    const pc = this.session.peer?.pc;
    if (this.panel.page !== "details" || !pc || this.session.state !== "live") return;
    const media = await mediaReport(pc);
    /** @param {number | null} seconds */
    const ms = (seconds) => (seconds === null ? "–" : `${Math.round(seconds * 1000)} ms`);
    fillList(byId("figures"), [
      [t("details.picture"), `${media.width}×${media.height}, ${Math.round(media.fps)} fps`],
      [t("details.codec"), media.codec],
      [t("details.rtt"), ms(media.rtt)],
      [t("details.buffer"), ms(media.buffer)],
      [t("details.lost"), String(media.lost)],
      [t("details.route"), media.route],
    ]);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#measure(), EVERY_MS);
  }
}
