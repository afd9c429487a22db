// @ts-check
/** Whether the picture really comes, and whether it may be heard; and what of it is transparent. */
import { Keyed } from "./key.js";
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

/**
 * Show a video as its job's picture wants: with its transparency, where it has any.
 * @param {HTMLVideoElement} video
 * @param {import("./key.js").Picture | null} [picture]
 * @returns {Keyed | null} to be closed; null: the video is shown as it is
 */
export function showVideo(video, picture) {
  return picture && picture.transparency !== "none" ? new Keyed(video, picture) : null;
}
