// @ts-check
/** From what went wrong to a problem that can be said in words (`problem.<kind>.*` in the dictionaries). */
import { ApiError } from "./api.js";
import { candidateReport, mediaReport } from "./diagnose.js";
import { MicrophoneError } from "./media.js";
import { ConnectError } from "./rtc.js";

/** @typedef {import("./types.js").Problem} Problem */

/** What may be done about each kind, the best first. */
export const ACTIONS = /** @type {Record<string, string[]>} */ ({
  micDenied: ["retry", "text"],
  micMissing: ["retry", "text"],
  micBusy: ["retry", "text"],
  insecure: ["text"],
  unsupported: [],
  iceFailed: ["retry"],
  noMedia: ["retry", "dismiss"],
  serverGone: ["retry"],
  serverError: ["retry"],
  roomFull: ["retry"],
  resourceFull: ["retry"],
  tooMany: ["retry"],
  codeExpired: ["code", "signin"],
  codeLocked: ["retry"],
  activeFailed: ["code", "signin"],
  activeLocked: ["retry"],
  activeExpired: ["retry", "signin"],
  tokenExpired: ["signin"],
  passExpired: ["restart", "signin"],
  signInWrong: [],
  roomMissing: ["signin"],
  forbidden: ["signin"],
  drivenElsewhere: ["signin"],
  jobGone: ["restart", "signin"],
  soundBlocked: ["sound"],
  unknown: ["retry"],
});

const BY_CODE = /** @type {Record<string, string>} */ ({
  "MSS.20010135": "roomFull",
  "MSS.47010013": "roomFull",
  "MSS.20010075": "resourceFull",
  "MSS.20010089": "resourceFull",
  "MSS.47002000": "resourceFull",
  "MSS.47002001": "resourceFull",
  "MSS.47002002": "resourceFull",
  "MSS.47010043": "activeFailed",
  "MSS.47010044": "activeLocked",
  "MSS.47010045": "activeExpired",
  "MSS.47010046": "codeExpired",
  "MSS.47010047": "codeLocked",
  "MSS.00010008": "tokenExpired",
  "MSS.20010045": "roomMissing",
  "MSS.47010001": "roomMissing",
  "MSS.20010074": "jobGone",
  "MSS.20010076": "jobGone",
  "MSS.47010012": "jobGone",
  "MSS.47010004": "tooMany",
  "APIGW.0308": "tooMany",
  "MSS.00010009": "forbidden",
  "MSS.47010063": "forbidden",
  "MSS.47015010": "drivenElsewhere",
});

/** @type {Record<string, string>} what a 401 means depends on what was shown: a code, a token, a password, a pass */
const UNAUTHORISED = { token: "signInWrong", rooms: "tokenExpired" };

/**
 * @param {ApiError} error
 * @param {boolean} byCode whether a one-time code was shown
 */
function apiKind(error, byCode) {
  const { status, code, call } = error;
  if (status === 0) return "serverGone";
  if (call === "token" && (status === 401 || status === 400)) return "signInWrong";
  const known = BY_CODE[code];
  if (known === "tokenExpired" && call === "session" && byCode) return "codeExpired";
  if (known === "tokenExpired" && !["session", "rooms"].includes(call)) return "passExpired";
  if (known) return known;
  if (status === 401) return call === "session" ? (byCode ? "codeExpired" : "tokenExpired") : UNAUTHORISED[call] ?? "passExpired";
  if (status === 403) return "forbidden";
  if (status === 404) return ["session", "rooms"].includes(call) ? "roomMissing" : "jobGone";
  if (status === 410) return "jobGone";
  if (status === 429) return "tooMany";
  return status >= 500 ? "serverError" : "unknown";
}

/**
 * @param {unknown} error
 * @param {{byCode?: boolean}} [context]
 * @returns {Promise<Problem>}
 */
export async function problemOf(error, { byCode = false } = {}) {
  if (error instanceof MicrophoneError) return { kind: error.kind, details: [["detail.message", error.message]] };
  if (error instanceof ConnectError) return iceProblem(error.pc);
  if (error instanceof ApiError) {
    /** @type {[string, string][]} */
    const details = [["detail.status", error.status ? `HTTP ${error.status}` : "–"]];
    if (error.code) details.push(["detail.code", error.code]);
    details.push(["detail.message", error.message]);
    if (error.requestId) details.push(["detail.request", error.requestId]);
    return { kind: apiKind(error, byCode), details, wait: error.wait };
  }
  return { kind: "unknown", details: [["detail.message", String(error)]] };
}

/** @param {RTCPeerConnection} pc @returns {Promise<Problem>} */
export async function iceProblem(pc) {
  const { local, remote, pairs, turn } = await candidateReport(pc);
  return {
    kind: "iceFailed",
    details: [
      ["detail.local", local],
      ["detail.remote", remote],
      ["detail.pairs", `${pairs.total} (${pairs.failed} ✕)`],
      ["detail.turn", turn ? "detail.turnYes" : "detail.turnNo"],
      ["detail.connection", `${pc.iceConnectionState} / ${pc.connectionState}`],
    ],
  };
}

/**
 * Connected, but no picture was shown.
 * @param {RTCPeerConnection} pc
 * @returns {Promise<Problem | null>} null: pictures do come, only nobody looks (a hidden tab shows none)
 */
export async function noMediaProblem(pc) {
  const media = await mediaReport(pc);
  if (media.frames > 0) return null;
  return {
    kind: "noMedia",
    details: [
      ["detail.picture", `${media.bytes} B, ${media.frames} ⧉ (${media.codec})`],
      ["detail.sound", `${media.soundBytes} B`],
      ["detail.route", media.route],
      ["detail.connection", `${pc.iceConnectionState} / ${pc.connectionState}`],
    ],
  };
}

/** What the person cannot mend by trying again with the same link. @param {string} kind */
export const isFinal = (kind) => ["codeExpired", "activeFailed", "activeExpired", "tokenExpired", "passExpired", "jobGone", "roomMissing", "forbidden"].includes(kind);
