// @ts-check
/** The server's HTTP calls that the page makes. Every failure is an ApiError. */
import { deviceId } from "./link.js";
import { TIMING } from "./timing.js";

/** @typedef {import("./types.js").Job} Job */

/** A refused or unanswered request. `status` 0: no answer came. */
export class ApiError extends Error {
  /**
   * @param {string} call which call it was: session, token, rooms, ice, scene, offer, candidates, state, stop
   * @param {number} status
   * @param {string} code error_code of the contract
   * @param {string} message
   * @param {string} requestId
   * @param {number} [wait] seconds that the server asks to wait; 0: it says nothing
   */
  constructor(call, status, code, message, requestId, wait = 0) {
    super(message);
    this.name = "ApiError";
    this.call = call;
    this.status = status;
    this.code = code;
    this.requestId = requestId;
    this.wait = wait;
  }
}

/**
 * @param {string} call
 * @param {string} path
 * @param {{method?: string, headers?: Record<string, string>, body?: unknown, signal?: AbortSignal, keepalive?: boolean}} [options]
 * @returns {Promise<{body: any, headers: Headers}>}
 */
async function request(call, path, options = {}) {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), TIMING.request);
  const stop = () => limit.abort();
  options.signal?.addEventListener("abort", stop, { once: true });
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json", ...options.headers };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  try {
    options.signal?.throwIfAborted();
    const response = await fetch(path, {
      method: options.method ?? "GET",
      headers,
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      signal: limit.signal,
      keepalive: options.keepalive,
      cache: "no-store",
      credentials: "omit",
    });
    const text = await response.text();
    const body = parse(text);
    if (!response.ok) {
      const message = body?.error_msg ?? body?.error?.message ?? response.statusText;
      const id = response.headers.get("X-Request-Id") ?? "";
      const wait = Number(response.headers.get("Retry-After")) || 0;
      throw new ApiError(call, response.status, String(body?.error_code ?? ""), String(message), id, wait);
    }
    return { body, headers: response.headers };
  } catch (error) {
    if (error instanceof ApiError) throw error;
    options.signal?.throwIfAborted(); // the caller gave up: not a failure of the server
    throw new ApiError(call, 0, "", String(error), "");
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", stop);
  }
}

/** @param {string} text */
function parse(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

/**
 * Start a job for the page.
 * @param {{project: string, room: string, code?: string, token?: string}} wish
 * @param {AbortSignal} [signal]
 * @returns {Promise<Job>}
 */
export async function startSession({ project, room, code, token }, signal) {
  /** @type {Record<string, string>} */
  const headers = code ? { "X-Once-Code": code, "X-Device-Id": deviceId() } : { "X-Auth-Token": token ?? "" };
  const body = { project_id: project, room_id: room };
  const answer = await request("session", "/page/v1/sessions", { method: "POST", headers, body, signal });
  if (!answer.body?.job_id || !answer.body.rtc_room_info) {
    throw new ApiError("session", 502, "", "an answer without job", answer.headers.get("X-Request-Id") ?? "");
  }
  return answer.body;
}

/**
 * Sign in as IAM does it: the token comes in a header, the project's id in the body.
 * @param {{project: string, user: string, password: string, domain?: string}} who
 * @returns {Promise<{token: string, projectId: string, expires: number}>}
 */
export async function signIn({ project, user, password, domain }) {
  // A project's id is 32 hexadecimal digits in IAM; anything else is its name.
  const scope = /^[0-9a-f]{32}$/.test(project) ? { id: project } : { name: project };
  const body = {
    auth: {
      identity: { methods: ["password"], password: { user: { name: user, password, domain: { name: domain || user } } } },
      scope: { project: scope },
    },
  };
  const answer = await request("token", "/v3/auth/tokens", { method: "POST", body });
  const token = answer.headers.get("X-Subject-Token") ?? "";
  if (!token) throw new ApiError("token", 502, "", "no X-Subject-Token", answer.headers.get("X-Request-Id") ?? "");
  const info = answer.body?.token;
  const expires = Date.parse(info?.expires_at ?? "") || Date.now() + 3600_000;
  return { token, projectId: info?.project?.id ?? project, expires };
}

/**
 * @param {string} projectId
 * @param {string} token
 * @returns {Promise<import("./types.js").Room[]>}
 */
export async function listRooms(projectId, token) {
  const path = `/v1/${encodeURIComponent(projectId)}/smart-chat-rooms?limit=100`;
  const answer = await request("rooms", path, { headers: { "X-Auth-Token": token } });
  return answer.body?.smart_chat_rooms ?? [];
}

/** The calls of one RTC room, made as its END_USER. */
export class RoomApi {
  /** @param {Job} job */
  constructor(job) {
    const user = job.rtc_room_info.users.find((each) => each.user_type === "END_USER");
    if (!user) throw new ApiError("session", 502, "", "no END_USER in rtc_room_info", "");
    this.room = job.rtc_room_info.room_id;
    this.base = `/rtc/v1/rooms/${encodeURIComponent(job.rtc_room_info.room_id)}`;
    this.headers = { Authorization: `Bearer ${user.user_id}:${user.ctime}:${user.signature}` };
  }

  /**
   * @param {AbortSignal} [signal]
   * @returns {Promise<RTCIceServer[]>}
   */
  async iceServers(signal) {
    const answer = await request("ice", `${this.base}/ice-servers`, { headers: this.headers, signal });
    return answer.body?.ice_servers ?? [];
  }

  /**
   * @param {string} sdp
   * @param {string | null} pcId of the connection that this one replaces
   * @param {AbortSignal} [signal]
   * @returns {Promise<{sdp: string, pc_id: string}>}
   */
  async offer(sdp, pcId, signal) {
    const body = { sdp, type: "offer", ...(pcId ? { pc_id: pcId, restart_pc: true } : {}) };
    const answer = await request("offer", `${this.base}/offer`, { method: "POST", headers: this.headers, body, signal });
    return answer.body;
  }

  /**
   * @param {string} pcId
   * @param {{candidate: string, sdp_mid: string | null, sdp_mline_index: number | null}[]} candidates
   */
  async candidates(pcId, candidates) {
    const body = { pc_id: pcId, candidates };
    await request("candidates", `${this.base}/offer`, { method: "PATCH", headers: this.headers, body });
  }

  /** @param {string} pcId */
  async leave(pcId) {
    const path = `${this.base}/peers/${encodeURIComponent(pcId)}`;
    await request("leave", path, { method: "DELETE", headers: this.headers, keepalive: true });
  }

  /** What is needed to draw the picture here. @param {AbortSignal} [signal] @returns {Promise<any>} */
  async scene(signal) {
    return (await request("scene", `${this.base}/scene`, { headers: this.headers, signal })).body;
  }

  /** A picture of the scene. @param {string} href @param {AbortSignal} [signal] @returns {Promise<Blob>} */
  async picture(href, signal) {
    const answer = await fetch(href, { headers: this.headers, signal, credentials: "omit" });
    if (!answer.ok) throw new ApiError("scene", answer.status, "", answer.statusText, answer.headers.get("X-Request-Id") ?? "");
    return answer.blob();
  }

  /** For a pack, whose address does not name the room. */
  get packHeaders() {
    return { ...this.headers, "X-Rtc-Room": this.room };
  }

  /** The show-state answer. @param {AbortSignal} [signal] @returns {Promise<any>} */
  async state(signal) {
    return (await request("state", `${this.base}/state`, { headers: this.headers, signal })).body;
  }

  async stop() {
    await request("stop", `${this.base}/stop`, { method: "POST", headers: this.headers, body: {}, keepalive: true });
  }
}
