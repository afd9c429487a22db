// @ts-check
/** What the browser keeps for the page. Where it keeps nothing, it is kept for this visit. */

/** @typedef {"tab" | "device"} Place  until the tab is closed, or for later visits */

/** @type {Map<string, unknown>} what storage would not take */
const visit = new Map();

/** @param {Place} place */
const storage = (place) => (place === "tab" ? sessionStorage : localStorage);

/** @template T @param {Place} place @param {string} key @returns {T | null} */
export function recall(place, key) {
  if (visit.has(key)) return /** @type {T} */ (visit.get(key));
  try {
    return JSON.parse(storage(place).getItem(key) ?? "null");
  } catch {
    return null;
  }
}

/** @param {Place} place @param {string} key @param {unknown} value null: forget it */
export function remember(place, key, value) {
  visit.delete(key);
  try {
    if (value === null) storage(place).removeItem(key);
    else storage(place).setItem(key, JSON.stringify(value));
  } catch {
    if (value !== null) visit.set(key, value);
  }
}
