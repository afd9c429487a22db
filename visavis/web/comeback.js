// @ts-check
/** How a screen that nobody attends comes back: whether it may start by itself, and when it tries again. */
import { TIMING } from "./timing.js";

/** Of a conversation that is over: the next one may begin. */
export const OVER = ["jobGone", "passExpired"];

/** What passes by itself, or by what somebody does elsewhere. */
const PASSING = [
  ...OVER, "serverGone", "serverError", "roomFull", "resourceFull", "tooMany", "activeLocked", "iceFailed", "ended-FAILED",
];

/** Whether the browser lets the page be heard before anybody has touched it. @returns {Promise<boolean>} */
async function soundAllowed() {
  const audio = new Audio("web/sound/silence.wav");
  try {
    await audio.play();
    return true;
  } catch {
    return false;
  } finally {
    audio.pause();
  }
}

/** Whether the microphone would be given without asking. @returns {Promise<boolean>} */
async function microphoneAllowed() {
  try {
    const name = /** @type {PermissionName} */ ("microphone");
    return (await navigator.permissions.query({ name })).state === "granted";
  } catch {
    return false; // a browser that does not tell
  }
}

/** @param {boolean} textOnly */
export const mayStart = async (textOnly) => (textOnly || (await microphoneAllowed())) && soundAllowed();

/** Counts the tries of one trouble. */
export class Patience {
  #tries = 0;

  /**
   * @param {string} kind of the problem
   * @returns {number} seconds until the next try; 0: trying again is of no use
   */
  next(kind) {
    if (!PASSING.includes(kind)) return 0;
    const pause = TIMING.comeback[Math.min(this.#tries, TIMING.comeback.length - 1)];
    this.#tries += 1;
    return pause / 1000;
  }

  /** It works again. */
  reset() {
    this.#tries = 0;
  }
}
