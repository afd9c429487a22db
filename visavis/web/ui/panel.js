// @ts-check
/** The side panel: transcript or details. Beside the stage where there is room, a sheet over it elsewhere. */
import { onLanguage, t } from "../i18n.js";
import { button, byId } from "./dom.js";

/** @typedef {"transcript" | "details"} Page */
const WIDE = matchMedia("(min-width: 1000px) and (orientation: landscape)");

export class Panel {
  #panel = byId("panel");
  /** @type {Page | null} */
  page = null;

  constructor() {
    for (const page of /** @type {Page[]} */ (["transcript", "details"])) {
      button(`${page}-open`).addEventListener("click", () => this.toggle(page));
    }
    button("panel-close").addEventListener("click", () => this.close());
    onLanguage(() => this.#show());
  }

  /** What a fresh conversation begins with. */
  reset() {
    this.page = WIDE.matches ? "transcript" : null;
    this.#show();
  }

  hide() {
    this.page = null;
    this.#show();
  }

  /** @param {Page} page */
  toggle(page) {
    if (this.page === page) return this.close();
    this.page = page;
    this.#show();
    if (!WIDE.matches) this.#panel.focus();
  }

  /** @returns {void} */
  close() {
    const opener = this.page && button(`${this.page}-open`);
    const inside = this.#panel.contains(document.activeElement);
    this.page = null;
    this.#show();
    if (inside) opener?.focus();
  }

  #show() {
    this.#panel.hidden = !this.page;
    document.body.dataset.panel = this.page ?? "";
    for (const page of ["transcript", "details"]) {
      byId(page).hidden = page !== this.page;
      button(`${page}-open`).setAttribute("aria-expanded", String(page === this.page));
    }
    if (this.page) byId("panel-title").textContent = t(`${this.page}.title`);
    this.#panel.dispatchEvent(new Event("pagechange"));
  }
}
