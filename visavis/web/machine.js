// @ts-check
/**
 * The page's life as a table: state, event, next state. An event that is not in a state's row is a defect, not a case.
 *
 * @typedef {"idle"|"microphone"|"starting"|"connecting"|"live"|"reconnecting"|"closing"|"ended"|"failed"} State
 * @typedef {"start"|"micReady"|"jobReady"|"connected"|"lost"|"stop"|"jobEnded"|"problem"} Event
 */

/** @type {Record<State, Partial<Record<Event, State>>>} */
export const TABLE = {
  idle: { start: "microphone" },
  microphone: { micReady: "starting", problem: "failed", stop: "ended" },
  starting: { jobReady: "connecting", problem: "failed", stop: "closing" },
  connecting: { connected: "live", problem: "failed", stop: "closing", jobEnded: "ended" },
  live: { lost: "reconnecting", problem: "failed", stop: "closing", jobEnded: "ended" },
  reconnecting: { connected: "live", problem: "failed", stop: "closing", jobEnded: "ended" },
  closing: { jobEnded: "ended" },
  ended: { start: "microphone" },
  failed: { start: "microphone", stop: "ended" },
};

/**
 * @param {State} state
 * @param {Event} event
 * @returns {State}
 */
export function next(state, event) {
  const to = TABLE[state][event];
  if (!to) throw new Error(`event ${event} in state ${state}`);
  return to;
}

/**
 * @param {State} state
 * @param {Event} event
 */
export const allows = (state, event) => TABLE[state][event] !== undefined;
