// @ts-check
/** Who the person is: a link with a one-time code, or a signed-in user; and a running job to come back to. */
import { listRooms, signIn as requestToken } from "./api.js";

/** @typedef {import("./types.js").Job} Job */
/** @typedef {{project: string, projectId: string, token: string, expires: number}} Account */
/** @typedef {{project: string, room: string, code: string}} Link */

const ACCOUNT = "visavis.account";
const JOB = "visavis.job";

/** The link's own words, from behind the `#`. @param {string} [hash] @returns {Link} */
export function readLink(hash = location.hash) {
  const part = new URLSearchParams(hash.replace(/^#/, ""));
  return { project: part.get("project") ?? "", room: part.get("room") ?? "", code: part.get("code") ?? "" };
}

/** The code is used up: it leaves the address bar and the history entry. */
export function forgetCode() {
  const { project, room, code } = readLink();
  if (!code) return;
  const rest = new URLSearchParams(Object.entries({ project, room }).filter(([, value]) => value));
  history.replaceState(null, "", `${location.pathname}${location.search}${String(rest) ? `#${rest}` : ""}`);
}

/** @template T @param {string} key @returns {T | null} */
function recall(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

/** @param {string} key @param {unknown} value */
function remember(key, value) {
  try {
    if (value === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Storage is forbidden here: the page forgets on reload, nothing else.
  }
}

/** @returns {Account | null} the signed-in user of this tab */
export function account() {
  const known = /** @type {Account | null} */ (recall(ACCOUNT));
  return known && known.expires > Date.now() + 30_000 ? known : null;
}

export const signOut = () => remember(ACCOUNT, null);

/**
 * The password goes to the server once and is kept nowhere.
 * @param {{project: string, user: string, password: string, domain?: string}} who
 * @returns {Promise<Account>}
 */
export async function signIn(who) {
  const { token, projectId, expires } = await requestToken(who);
  const known = { project: who.project, projectId, token, expires };
  remember(ACCOUNT, known);
  return known;
}

/** @param {Account} known */
export const rooms = (known) => listRooms(known.projectId, known.token);

/** @param {Job | null} job null: nothing to come back to */
export const rememberJob = (job) => remember(JOB, job);

/** A job that this tab was in before it was reloaded, while its pass is valid. @returns {Job | null} */
export function rememberedJob() {
  const job = /** @type {Job | null} */ (recall(JOB));
  const user = job?.rtc_room_info?.users?.find((each) => each.user_type === "END_USER");
  return job && user && user.ctime * 1000 > Date.now() ? job : null;
}
