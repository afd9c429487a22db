// @ts-check
/** Who draws the picture: the server, or this browser. */
import { canDraw } from "./gl.js";

/** @typedef {"server" | "client"} Mode */

const KEY = "visavis.render";

/** @param {unknown} value @returns {Mode | null} */
const mode = (value) => (value === "server" || value === "client" ? value : null);

/** What the person chose here before. */
function remembered() {
  try {
    return mode(localStorage.getItem(KEY));
  } catch {
    return null; // storage is forbidden here
  }
}

/** @param {Mode} wanted */
export function remember(wanted) {
  try {
    localStorage.setItem(KEY, wanted);
  } catch {
    // It lasts as long as the page then.
  }
}

/**
 * The address says it (`?render=client`), else the person's choice, else the room's setting. A browser that cannot draw, or
 * that only the room asked and that would draw without a graphics card, leaves it to the server.
 * @param {{render_mode?: string} | null} job
 * @param {Mode | null} chosen in this page's life
 * @returns {Mode}
 */
export function wantedMode(job, chosen) {
  const asked = chosen ?? mode(new URLSearchParams(location.search).get("render")) ?? remembered();
  const wanted = asked ?? mode(job?.render_mode) ?? "server";
  return wanted === "client" && canDraw(asked === null) ? "client" : "server";
}
