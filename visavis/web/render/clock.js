// @ts-check
/**
 * Which moment of the stage is being heard. All times here are seconds.
 *
 * The stage clock counts samples of sound. The browser tells which RTP timestamp it plays and when
 * (`RTCRtpReceiver.getSynchronizationSources`), each motion frame tells the RTP timestamp of its own moment: their
 * difference is how far the sound now heard lies from that frame. Where the browser tells nothing, or there is no sound
 * (the digital human sleeps), frames are shown a fixed time after they arrive, or the clock simply runs on.
 */

/** Of the sound's clock, RFC 7587. */
const RATE = 48000;
/** A measured time further off than this is a jump of the clock, not noise. */
const JUMP = 0.2;
/** Seconds in which most of a small difference is taken up, however often it is measured: browsers stretch sound by a fifth. */
const FOLLOW = 0.2;
/** How long after their arrival frames are shown when no sound sets the time. */
export const WAIT = 0.12;
/** A frame this far from the clock means that the clock is wrong (the server stalled, or is another one). */
const ASTRAY = 1.0;

export class StageClock {
  /** stage time minus local time; NaN: not known yet */
  #offset = NaN;
  #heardAt = -Infinity;
  /** the smallest delay seen lately, as the greatest (pts - arrival) */
  #nearest = -Infinity;
  #nearestAt = -Infinity;

  /** The stage time at the local time `at`; NaN: not known yet. @param {number} at */
  now(at) {
    return at + this.#offset;
  }

  /**
   * The sound with this RTP timestamp was heard at the local time `at`.
   * @param {number} rtp
   * @param {number} at
   * @param {{rtp: number | null, pts: number}} frame any frame of the same stage
   */
  heard(rtp, at, frame) {
    if (frame.rtp === null) return;
    const offset = frame.pts + ((rtp - frame.rtp) | 0) / RATE - at; // `| 0`: both wrap at 2^32
    const passed = Math.max(0, at - this.#heardAt);
    this.#heardAt = Math.max(at, this.#heardAt);
    const apart = offset - this.#offset;
    this.#offset = Math.abs(apart) < JUMP ? this.#offset + (1 - Math.exp(-passed / FOLLOW)) * apart : offset;
  }

  /**
   * A frame came. Returns whether the clock was set anew.
   * @param {number} pts
   * @param {number} at
   */
  arrived(pts, at) {
    const delay = pts - at;
    if (delay > this.#nearest || at - this.#nearestAt > 2) {
      this.#nearest = delay;
      this.#nearestAt = at;
    }
    const away = pts - this.now(at);
    if (Math.abs(away) <= ASTRAY) {
      // Without sound the clock follows the swiftest frames, slowly: a late one says nothing about the clock.
      if (at - this.#heardAt > 2) this.#offset += 0.02 * (this.#nearest - WAIT - this.#offset);
      return false;
    }
    this.#nearest = delay;
    this.#nearestAt = at;
    this.#offset = delay - WAIT;
    return true;
  }
}

/**
 * What the receiver plays at this moment.
 * @param {RTCRtpReceiver | null} receiver of the sound
 * @param {number} latency of the loudspeaker's buffer, seconds
 * @returns {{rtp: number, at: number} | null} `at` on the clock of performance.now(), seconds
 */
export function playing(receiver, latency) {
  const source = receiver?.getSynchronizationSources?.()[0];
  if (!source || source.rtpTimestamp === undefined) return null;
  // The standard counts from timeOrigin's epoch; browsers differ.
  const at = source.timestamp > 1e11 ? source.timestamp - performance.timeOrigin : source.timestamp;
  return { rtp: source.rtpTimestamp, at: at / 1000 + latency };
}
