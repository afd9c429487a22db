// @ts-check
/** Words in the person's language. Static words carry `data-i18n*` attributes; dynamic ones call t(). */
import en from "./i18n/en.js";
import zh from "./i18n/zh.js";

/** @typedef {"en" | "zh"} Language */
/** @type {Record<Language, Record<string, string>>} */
export const DICTIONARIES = { en, zh };
const KEY = "visavis.language";

/** @returns {Language} */
function initial() {
  try {
    const kept = localStorage.getItem(KEY);
    if (kept === "en" || kept === "zh") return kept;
  } catch {
    // Storage is forbidden here: the browser's language it is.
  }
  const wanted = navigator.languages.find((each) => /^(zh|en)\b/i.test(each)) ?? "en";
  return wanted.toLowerCase().startsWith("zh") ? "zh" : "en";
}

let current = initial();
/** @type {Set<() => void>} */
const listeners = new Set();

export const language = () => current;

/** @param {() => void} listener called after each change */
export const onLanguage = (listener) => void listeners.add(listener);

/** @param {Language} wanted */
export function setLanguage(wanted) {
  current = wanted;
  try {
    localStorage.setItem(KEY, wanted);
  } catch {
    // It lasts as long as the page then.
  }
  apply();
  listeners.forEach((each) => each());
}

/** @param {string} key */
export const has = (key) => DICTIONARIES[current][key] !== undefined;

/**
 * @param {string} key
 * @param {Record<string, string | number>} [params] fill `{name}`
 */
export function t(key, params = {}) {
  const text = DICTIONARIES[current][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(params[name] ?? whole));
}

/** Put the words into the page's static parts. */
export function apply() {
  document.documentElement.lang = current === "zh" ? "zh-CN" : "en";
  document.title = t("page.title");
  /** @param {string} attribute @param {(element: Element, text: string) => void} put */
  const each = (attribute, put) =>
    document.querySelectorAll(`[${attribute}]`).forEach((element) => put(element, t(element.getAttribute(attribute) ?? "")));
  each("data-i18n", (element, text) => (element.textContent = text));
  each("data-i18n-label", (element, text) => {
    element.setAttribute("aria-label", text);
    if (element instanceof HTMLButtonElement) element.title = text;
  });
  each("data-i18n-title", (element, text) => element.setAttribute("title", text));
  each("data-i18n-placeholder", (element, text) => element.setAttribute("placeholder", text));
}
