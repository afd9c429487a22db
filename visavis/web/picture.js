// @ts-check
/** Whether the picture really comes, and whether it may be heard. */
import { noMediaProblem } from "./problems.js";
import { firstFrame } from "./rtc.js";
import { TIMING, pause } from "./timing.js";

/**
 * @param {HTMLVideoElement} video
 * @returns {Promise<boolean>} false: the browser wants a gesture before sound
 */
export async function play(video) {
  try {
    await video.play();
    return true;
  } catch (error) {
    return !(error instanceof DOMException && error.name === "NotAllowedError");
  }
}

/**
 * Say so when no picture comes, and take it back when one does.
 * @param {HTMLVideoElement} video
 * @param {RTCPeerConnection} pc
 * @param {AbortSignal} signal
 * @param {() => boolean} ours whether this connection is still the one on the stage
 * @param {(name: "picture" | "problem", detail?: unknown) => void} tell
 */
export async function watchPicture(video, pc, signal, ours, tell) {
  let arrived = false;
  let told = false;
  const first = firstFrame(video).then(() => {
    arrived = true;
    if (!ours()) return;
    if (told) tell("problem", null);
    tell("picture");
  });
  await Promise.race([first, pause(TIMING.noMedia, signal).catch(() => undefined)]);
  if (arrived || !ours()) return;
  const problem = await noMediaProblem(pc);
  if (arrived || !ours() || !problem) return;
  told = true;
  tell("problem", problem);
}
