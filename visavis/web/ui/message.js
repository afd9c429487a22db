// @ts-check
/** The card that says in words what is in the way, or that the conversation is over, and what can be done. */
import { has, onLanguage, t } from "../i18n.js";
import { ACTIONS } from "../problems.js";
import { announce, byId, fillList, make, showView } from "./dom.js";

/** @typedef {import("../types.js").Problem} Problem */
/** @typedef {{jobId: string, reason: string, message: string}} Ended */

export class Message {
  #card = byId("message");
  /** @type {() => void} */
  #render = () => undefined;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #clock;

  /** @param {(action: string) => void} act */
  constructor(act) {
    this.act = act;
    onLanguage(() => this.#render());
  }

  /**
   * @param {Problem} problem
   * @param {boolean} over whether it lies over a stage that goes on
   * @param {number} [again] seconds until it tries again by itself; 0: it does not
   */
  problem(problem, over, again = 0) {
    const { kind, params, details = [], wait = 0 } = problem;
    this.#card.dataset.kind = kind;
    this.#open(over, () => {
      this.#words(t(`problem.${kind}.title`, params), t(`problem.${kind}.text`, params));
      this.#todo(t(`problem.${kind}.do`, params).split("|"));
      this.#actions(ACTIONS[kind] ?? ["retry"]);
      this.#details(details);
    });
    this.#wait(Math.max(wait, again), again ? "retry" : "");
  }

  /**
   * @param {Ended} ended
   * @param {boolean} again whether a new conversation can begin at once
   * @param {number} [byItself] seconds until it begins by itself; 0: it does not
   */
  ended({ jobId, reason, message }, again, byItself = 0) {
    this.#card.dataset.kind = `ended-${reason}`;
    this.#open(false, () => {
      const known = has(`ended.${reason}`) ? t(`ended.${reason}`) : t("ended.other", { reason });
      this.#words(known, t(reason === "FAILED" ? "ended.failedHelp" : "ended.thanks"));
      this.#todo(again ? [] : [t("ended.onceUsed")]);
      this.#actions([again ? "restart" : "signin"]);
      /** @type {[string, string][]} */
      const details = message ? [["detail.message", message]] : [];
      this.#details(reason === "FAILED" ? [["ended.job", jobId], ...details] : details);
    });
    this.#wait(byItself, "restart");
  }

  /**
   * Count down, and act then. Silent for those who listen: a number every second would leave them no rest.
   * @param {number} seconds
   * @param {string} action "": only say that the time is over
   */
  #wait(seconds, action) {
    clearInterval(this.#clock);
    const line = byId("message-again");
    line.hidden = !seconds;
    if (!seconds) return;
    const until = performance.now() + 1000 * seconds;
    const show = () => {
      const left = Math.max(0, Math.ceil((until - performance.now()) / 1000));
      const time = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
      line.textContent = left ? t(action ? "again.byItself" : "again.then", { time }) : t("again.now");
      if (left) return;
      clearInterval(this.#clock);
      if (action) this.act(action);
      else announce(t("again.now"));
    };
    this.#clock = setInterval(show, 250);
    show();
  }

  close() {
    clearInterval(this.#clock);
    this.#render = () => undefined;
    this.#card.hidden = true;
    this.#card.classList.remove("over");
  }

  /** Kind of the problem that is told. */
  get kind() {
    return this.#card.dataset.kind ?? "";
  }

  /** @param {boolean} over @param {() => void} render */
  #open(over, render) {
    this.#render = render;
    if (!over) showView("message");
    this.#card.hidden = false;
    this.#card.classList.toggle("over", over);
    /** @type {HTMLDetailsElement} */ (byId("message-details")).open = false;
    render();
    byId("message-title").focus();
  }

  /** @param {string} title @param {string} text */
  #words(title, text) {
    byId("message-title").textContent = title;
    byId("message-text").textContent = text;
  }

  /** @param {string[]} items */
  #todo(items) {
    byId("message-do").replaceChildren(...items.map((item) => make("li", {}, item)));
    byId("message-do").hidden = !items.length;
  }

  /** @param {string[]} actions */
  #actions(actions) {
    const buttons = actions.map((action, index) => {
      const one = make("button", { type: "button", class: index ? "secondary" : "primary", "data-action": action }, t(`action.${action}`));
      one.addEventListener("click", () => this.act(action));
      return one;
    });
    byId("message-actions").replaceChildren(...buttons);
  }

  /** @param {[string, string][]} details */
  #details(details) {
    const box = byId("message-details");
    box.hidden = !details.length;
    const rows = details.map(([name, value]) => /** @type {[string, string]} */ ([t(name), has(value) ? t(value) : value]));
    fillList(/** @type {HTMLElement} */ (box.querySelector("dl")), rows);
  }
}
