// @ts-check
/** A job's beginning, and whether it is over. */
import { RoomApi, startSession } from "./api.js";
import { forgetCode } from "./signin.js";

/** @type {Record<string, string>} the reasons of a job's final states */
const REASON_OF = { SUCCEED: "NORMAL", CANCELED: "CANCELED", FAILED: "FAILED", DELETING: "NORMAL" };

/**
 * Start a job. A one-time code is forgotten, whatever comes of it.
 * @param {import("./types.js").StartOptions} options
 * @param {AbortSignal} signal
 */
export async function newJob({ project = "", room = "", code, token }, signal) {
  try {
    // Not tied to the signal: a job that was started while the person left must be known, to be stopped.
    const job = await startSession({ project, room, code, token });
    if (signal.aborted) void new RoomApi(job).stop().catch(() => undefined);
    signal.throwIfAborted();
    return job;
  } finally {
    if (code) forgetCode();
  }
}

/**
 * @param {any} state the show-state answer
 * @returns {{reason: string, message: string} | null} null: the job still runs
 */
export function endOf(state) {
  const reason = REASON_OF[state?.state];
  return reason ? { reason: state.job_finish_reason || reason, message: state.error_info?.error_msg ?? "" } : null;
}
