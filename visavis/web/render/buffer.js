// @ts-check
/** Motion frames in waiting, in the order of their time: a bounded buffer against the network's jitter. */

/** @typedef {import("./wire.js").MotionFrame} MotionFrame */
/** @typedef {import("./wire.js").Pose} Pose */

/** Frames that may wait; of more the oldest go. Two and a half seconds at 25 a second. */
export const MOST = 64;
/** Two frames further apart than this are not joined: nothing is known of what lies between (a sleeper sends one a second). */
const GAP = 0.3;

export class MotionBuffer {
  /** @type {MotionFrame[]} */
  #waiting = [];
  /** @type {MotionFrame | null} */
  #current = null;
  /** Frames that came too late to be shown, or twice. */
  late = 0;
  /** Frames that found no room. */
  dropped = 0;

  get size() {
    return this.#waiting.length;
  }

  get empty() {
    return !this.#current && !this.#waiting.length;
  }

  clear() {
    this.#waiting = [];
    this.#current = null;
  }

  /** @param {MotionFrame} frame */
  add(frame) {
    if (this.#current && frame.pts <= this.#current.pts) return void this.late++;
    let at = this.#waiting.length;
    while (at > 0 && this.#waiting[at - 1].pts >= frame.pts) at--;
    if (this.#waiting[at]?.pts === frame.pts) return void this.late++;
    this.#waiting.splice(at, 0, frame);
    if (this.#waiting.length > MOST) {
      this.#waiting.shift();
      this.dropped++;
    }
  }

  /**
   * Go on to the stage time `now`. The frame that is shown is held while its successor is late.
   * @param {number} now seconds
   * @param {(frame: MotionFrame) => void} passed called with each frame whose time has come, in order
   * @returns {{frame: MotionFrame, pose: Pose} | null} null: nothing has come yet
   */
  at(now, passed) {
    // The very first frame is shown at once, whatever its time: a face that waits is better than none.
    while (this.#waiting.length && (!this.#current || this.#waiting[0].pts <= now)) {
      this.#current = /** @type {MotionFrame} */ (this.#waiting.shift());
      passed(this.#current);
    }
    const frame = this.#current;
    if (!frame) return null;
    const next = this.#waiting[0];
    const step = next ? next.pts - frame.pts : 0;
    if (!next || step > GAP || now <= frame.pts) return { frame, pose: frame.pose };
    return { frame, pose: between(frame.pose, next.pose, Math.min(1, (now - frame.pts) / step)) };
  }
}

/** @param {Pose} from @param {Pose} to @param {number} share @returns {Pose} */
function between(from, to, share) {
  /** @param {keyof Pose} name */
  const mix = (name) => from[name] + share * (to[name] - from[name]);
  return {
    yaw: mix("yaw"), pitch: mix("pitch"), roll: mix("roll"),
    shift_x: mix("shift_x"), shift_y: mix("shift_y"), breath: mix("breath"),
  };
}
