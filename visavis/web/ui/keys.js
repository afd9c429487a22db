// @ts-check
/** Single-key shortcuts. They can be switched off (WCAG 2.1.4), which is remembered. */
import { input } from "./dom.js";

const KEY = "visavis.shortcuts";

/**
 * @param {Record<string, () => void>} actions by key, lower case
 * @param {() => boolean} escape returns whether there was something to do
 * @param {{press: () => boolean, release: () => void}} hold of the space bar
 */
export function listenForKeys(actions, escape, hold) {
  const box = input("shortcuts");
  let held = false;
  try {
    box.checked = localStorage.getItem(KEY) !== "off";
  } catch {
    // Storage is forbidden here: they are on.
  }
  box.addEventListener("change", () => {
    try {
      localStorage.setItem(KEY, box.checked ? "on" : "off");
    } catch {
      // It lasts as long as the page then.
    }
  });

  /** @param {EventTarget | null} target */
  const typing = (target) => target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;

  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") return void (escape() && event.preventDefault());
    if (!box.checked || typing(event.target)) return;
    if (event.key === " ") {
      // On a button the space bar presses the button.
      if (event.target instanceof Element && event.target.closest("button, summary, a")) return;
      if (event.repeat ? held : (held = hold.press())) event.preventDefault();
      return;
    }
    const action = event.repeat ? undefined : actions[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });
  const release = () => {
    if (held) hold.release();
    held = false;
  };
  addEventListener("keyup", (event) => event.key === " " && release());
  addEventListener("blur", release);
}
