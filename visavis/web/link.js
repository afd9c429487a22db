// @ts-check
/**
 * What a link to the page brings, and what this device keeps of it.
 *
 * A one-time code is good for one start. An activation code belongs to the device that used it first: it is kept, so that a
 * screen comes back by itself after a power cut. Neither stays in the address: what is shown there is photographed and passed on.
 */
import { recall, remember } from "./storage.js";

/** @typedef {{project: string, room: string, code: string}} Link */
/** @typedef {Link & {textOnly?: boolean}} Kiosk */

const PENDING = "visavis.link";
const KIOSK = "visavis.kiosk";
const DEVICE = "visavis.device";
const ACTIVATION = /^[0-9A-HJKMNP-TV-Z]{5}(-[0-9A-HJKMNP-TV-Z]{5}){3}$/;
const DEVICE_FORM = /^[\x21-\x7e]{16,128}$/;

/** Whether it has the form of an activation code. @param {string} code */
export const isActivation = (code) => ACTIVATION.test(code.toUpperCase());

/** A code as somebody types it: any case, any gaps, O for 0. @param {string} text @returns {string} "" if it is none */
export function typedCode(text) {
  const signs = text.toUpperCase().replace(/[^0-9A-Z]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1");
  const code = (signs.match(/.{1,5}/g) ?? []).join("-");
  return isActivation(code) ? code : "";
}

/** The words behind the `#`. */
function words() {
  const part = new URLSearchParams(location.hash.replace(/^#/, ""));
  return { project: part.get("project") ?? "", room: part.get("room") ?? "", code: part.get("code") ?? "" };
}

/**
 * The link's own words, with the code that has not been used yet. A code leaves the address bar and the history as soon as it
 * is read; until it is used, the tab knows it.
 * @returns {Link}
 */
export function readLink() {
  const { project, room, code } = words();
  if (code) {
    remember("tab", PENDING, { project, room, code });
    const rest = new URLSearchParams(Object.entries({ project, room }).filter(([, value]) => value));
    history.replaceState(null, "", `${location.pathname}${location.search}${String(rest) ? `#${rest}` : ""}`);
    return { project, room, code };
  }
  const pending = /** @type {Link | null} */ (recall("tab", PENDING));
  const same = pending?.project === project && pending.room === room;
  return { project, room, code: same && pending ? pending.code : "" };
}

/** The code is used up, or it is kept otherwise. */
const forgetPending = () => remember("tab", PENDING, null);

/**
 * What this device starts with, again and again.
 * @returns {Kiosk | null} null: it keeps no activation code, or the address names another project or room
 */
export function kiosk() {
  const { project, room } = words();
  const kept = /** @type {Kiosk | null} */ (recall("device", KIOSK));
  const other = !kept || (project && project !== kept.project) || (room && room !== kept.room);
  return other || typeof kept.code !== "string" ? null : kept;
}

/** A code has opened its room. @param {Kiosk} what */
export function codeWorked({ project, room, code, textOnly }) {
  forgetPending();
  if (isActivation(code)) remember("device", KIOSK, { project, room, code, ...(textOnly ? { textOnly } : {}) });
}

/** A code was refused. @param {string} code @param {boolean} forGood it never works here again */
export function codeRefused(code, forGood) {
  if (!isActivation(code)) return forgetPending();
  if (!forGood) return;
  forgetPending();
  const kept = /** @type {Kiosk | null} */ (recall("device", KIOSK));
  if (kept?.code === code) remember("device", KIOSK, null);
}

/** This device's secret name: a random one, kept. Only its hash is known to the server. */
export function deviceId() {
  const kept = recall("device", DEVICE);
  if (typeof kept === "string" && DEVICE_FORM.test(kept)) return kept;
  const made = [...crypto.getRandomValues(new Uint8Array(24))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  remember("device", DEVICE, made);
  return made;
}
