// @ts-check
/** RTVI messages of the data channel, and the vendor's event names that an integrator knows. */

/** @typedef {import("./types.js").RtviMessage} RtviMessage */

let counter = 0;

/**
 * @param {string} type
 * @param {Record<string, unknown>} [data]
 */
export function compose(type, data = {}) {
  counter += 1;
  return JSON.stringify({ label: "rtvi-ai", type, id: `p${counter}`, data });
}

/** @param {string} t @param {Record<string, unknown>} [d] */
export const clientMessage = (t, d = {}) => compose("client-message", { t, d });

export const clientReady = () =>
  compose("client-ready", { version: "1.0.0", about: { library: "visavis-web", library_version: "1.0.0" } });

/** @param {string} content */
export const sendText = (content) => compose("send-text", { content });

/**
 * A server-message is unwrapped: its type becomes `server:<event>`.
 * @param {unknown} text
 * @returns {RtviMessage | null} null: not ours
 */
export function parse(text) {
  if (typeof text !== "string") return null;
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    return null;
  }
  if (body?.label !== "rtvi-ai" || typeof body.type !== "string") return null;
  const data = body.data && typeof body.data === "object" ? body.data : {};
  if (body.type !== "server-message") return { type: body.type, data };
  return typeof data.event === "string" ? { type: `server:${data.event}`, data } : null;
}

/**
 * What the vendor's browser SDK would have told.
 * @param {RtviMessage} message
 * @param {{jobId: string, chatId: string}} context
 * @returns {{name: string, detail: Record<string, unknown>} | null}
 */
export function vendorEvent({ type, data }, { jobId, chatId }) {
  const base = { jobId, chatId: data.chat_id ?? chatId };
  switch (type) {
    case "bot-started-speaking":
      return { name: "speakingStart", detail: base };
    case "bot-stopped-speaking":
      return { name: "speakingStop", detail: base };
    case "user-transcription":
      return { name: "speechRecognized", detail: { ...base, text: data.text, isLast: data.final !== false } };
    case "bot-output":
      return { name: "semanticRecognized", detail: { ...base, text: data.text, isLast: false } };
    case "error":
      return { name: "error", detail: { jobId, code: "SERVER", message: data.message, fatal: data.fatal === true } };
    case "server:jobInfoChange":
      return { name: "jobInfoChange", detail: { jobId, chatState: data.chat_state } };
    case "server:languageInfoChange":
      return { name: "languageInfoChange", detail: { jobId, language: data.language } };
    case "server:enterSleep":
      return { name: "enterSleep", detail: { jobId } };
    case "server:enterActive":
      return { name: "enterActive", detail: { jobId } };
    case "server:jobEndMention":
      return { name: "jobEndMention", detail: { jobId: data.jobId ?? jobId, restTime: data.restTime } };
    default:
      return null; // jobEnd is told by the session, once, however the end was learnt
  }
}
