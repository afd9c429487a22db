// @ts-check
/** Small helpers around the document. */

/**
 * The element with this id. It is in index.html: its absence is a defect.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`no #${id} in the page`);
  return /** @type {T} */ (element);
}

/** @param {string} id */
export const button = (id) => /** @type {HTMLButtonElement} */ (byId(id));

/** @param {string} id */
export const input = (id) => /** @type {HTMLInputElement} */ (byId(id));

/**
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @param {(Node | string)[]} children
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** @param {Element} element holds an icon @param {string} name */
export function setIcon(element, name) {
  const use = element.querySelector("use");
  use?.setAttribute("href", (use.getAttribute("href") ?? "").replace(/#.*$/, `#${name}`));
}

/** @param {HTMLElement} list a dl @param {[string, string][]} rows */
export function fillList(list, rows) {
  list.replaceChildren(...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

/** Tell those who listen instead of looking. @param {string} text */
export function announce(text) {
  const log = byId("announce");
  log.append(make("p", {}, text));
  while (log.childElementCount > 12) log.firstElementChild?.remove();
}

const VIEWS = { start: "start", signin: "signin", rooms: "rooms", talk: "stage" };

/** @param {keyof typeof VIEWS | "message"} view */
export function showView(view) {
  document.body.dataset.view = view;
  for (const [name, id] of Object.entries(VIEWS)) byId(id).hidden = name !== view;
  byId("message").hidden = view !== "message";
}
