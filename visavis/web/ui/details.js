// @ts-check
/** Where the last answer's time went, and how the connection fares. */
import { mediaReport } from "../diagnose.js";
import { has, onLanguage, t } from "../i18n.js";
import { canDraw } from "../render/gl.js";
import { byId, fillList, make } from "./dom.js";

const EVERY_MS = 1000;

export class Details {
  #latency = byId("latency");
  #select = /** @type {HTMLSelectElement} */ (byId("speech-language"));
  #lastDrawn = { drawn: 0, at: 0 };
  #render = /** @type {HTMLSelectElement} */ (byId("render-mode"));
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
    this.#render.addEventListener("change", () => this.setRender(/** @type {any} */ (this.#render.value)));
    session.view.addEventListener("mode", () => this.#showRender());
    talk.addEventListener("language", () => this.#showLanguage());
    talk.addEventListener("latency", () => this.#showLatency());
    byId("panel").addEventListener("pagechange", () => void this.#measure());
    session.addEventListener("state", () => void this.#measure());
    onLanguage(() => {
      this.#showLatency();
      this.#showRender();
    });
    this.#showLatency();
    this.#showRender();
  }

  /** Who is to draw the picture from now on. @param {import("../render/choice.js").Mode} mode */
  setRender(mode) {
    const { view } = this.session;
    view.choose(mode === "client" && canDraw() ? "client" : "server");
    this.#showRender(mode);
    void this.session.redraw();
  }

  toggleRender() {
    this.setRender(this.session.view.mode === "server" ? "client" : "server");
  }

  /** @param {string} [wanted] */
  #showRender(wanted) {
    const { view } = this.session;
    const able = canDraw();
    this.#render.value = wanted ?? view.mode;
    /** @type {HTMLOptionElement} */ (this.#render.querySelector("[value=client]")).disabled = !able;
    byId("render-note").textContent = t(!able ? "details.renderUnable" : view.reason ? "details.renderFell" : "details.renderNote");
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

  /** What is drawn here: the picture's size and pace, and what one picture takes. */
  #drawnHere() {
    const { view } = this.session;
    if (view.mode !== "client") return null;
    const { drawn, ms } = view.drawing.stats;
    const now = performance.now();
    const pace = this.#lastDrawn.at ? ((drawn - this.#lastDrawn.drawn) * 1000) / (now - this.#lastDrawn.at) : 0;
    this.#lastDrawn = { drawn, at: now };
    const { width, height } = view.canvas;
    return {
      picture: `${width}×${height}, ${Math.max(0, Math.round(pace))} fps`,
      coding: t("details.motion", { ms: (ms / Math.max(1, drawn)).toFixed(1) }),
    };
  }

  /** Measures only while somebody looks. */
  async #measure() {
    clearTimeout(this.#timer);
    const pc = this.session.peer?.pc;
    if (this.panel.page !== "details" || !pc || this.session.state !== "live") return;
    const media = await mediaReport(pc);
    /** @param {number | null} seconds */
    const ms = (seconds) => (seconds === null ? "–" : `${Math.round(seconds * 1000)} ms`);
    const drawn = this.#drawnHere();
    fillList(byId("figures"), [
      [t("details.picture"), drawn?.picture ?? `${media.width}×${media.height}, ${Math.round(media.fps)} fps`],
      [t("details.codec"), drawn?.coding ?? media.codec],
      [t("details.rtt"), ms(media.rtt)],
      [t("details.buffer"), ms(media.buffer)],
      [t("details.lost"), String(media.lost)],
      [t("details.route"), media.route],
    ]);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#measure(), EVERY_MS);
  }
}
