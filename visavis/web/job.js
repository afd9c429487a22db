// @ts-check
/** A job's beginning, and whether it is over. */
import { ApiError, RoomApi, startSession } from "./api.js";
import { codeRefused, codeWorked } from "./link.js";

/** @type {Record<string, string>} the reasons of a job's final states */
const REASON_OF = { SUCCEED: "NORMAL", CANCELED: "CANCELED", FAILED: "FAILED", DELETING: "NORMAL" };

/** Refusals of an activation code after which it never works on this device again. */
const FOR_GOOD = ["MSS.47010043"];

/**
 * Start a job. A one-time code is forgotten, whatever comes of it; an activation code that worked is kept.
 * @param {import("./types.js").StartOptions} options
 * @param {AbortSignal} signal
 */
export async function newJob({ project = "", room = "", code, token, textOnly }, signal) {
  const job = await started();
  if (code) codeWorked({ project, room, code, textOnly });
  if (signal.aborted) void new RoomApi(job).stop().catch(() => undefined);
  signal.throwIfAborted();
  return job;

  async function started() {
    try {
      // Not tied to the signal: a job that was started while the person left must be known, to be stopped.
      return await startSession({ project, room, code, token });
    } catch (error) {
      if (code) codeRefused(code, error instanceof ApiError && FOR_GOOD.includes(error.code));
      throw error;
    }
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
