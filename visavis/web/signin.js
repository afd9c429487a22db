// @ts-check
/** Who the person is: a signed-in user; and a running job to come back to. What links bring is in link.js. */
import { listRooms, signIn as requestToken } from "./api.js";
import { recall, remember } from "./storage.js";

/** @typedef {import("./types.js").Job} Job */
/** @typedef {{project: string, projectId: string, token: string, expires: number}} Account */

const ACCOUNT = "visavis.account";
const JOB = "visavis.job";

/** @returns {Account | null} the signed-in user of this tab */
export function account() {
  const known = /** @type {Account | null} */ (recall("tab", ACCOUNT));
  return known && known.expires > Date.now() + 30_000 ? known : null;
}

export const signOut = () => remember("tab", ACCOUNT, null);

/**
 * The password goes to the server once and is kept nowhere.
 * @param {{project: string, user: string, password: string, domain?: string}} who
 * @returns {Promise<Account>}
 */
export async function signIn(who) {
  const { token, projectId, expires } = await requestToken(who);
  const known = { project: who.project, projectId, token, expires };
  remember("tab", ACCOUNT, known);
  return known;
}

/** @param {Account} known */
export const rooms = (known) => listRooms(known.projectId, known.token);

/** @param {Job | null} job null: nothing to come back to */
export const rememberJob = (job) => remember("tab", JOB, job);

/** A job that this tab was in before it was reloaded, while its pass is valid. @returns {Job | null} */
export function rememberedJob() {
  const job = /** @type {Job | null} */ (recall("tab", JOB));
  const user = job?.rtc_room_info?.users?.find((each) => each.user_type === "END_USER");
  return job && user && user.ctime * 1000 > Date.now() ? job : null;
}
