// @ts-check
/** A motion frame as it travels: one binary message (docs/protocol.md, "Motion"). */

/**
 * @typedef {object} MotionFrame
 * @property {number} pts seconds of the stage clock
 * @property {number | null} rtp RTP timestamp of our sound at which this moment is heard
 * @property {Pose} pose
 * @property {[number, number]} gaze radians, right and up positive
 * @property {Float32Array} weights of the 52 ARKit blendshapes, 0..1
 * @property {string} gesture
 *
 * @typedef {{yaw: number, pitch: number, roll: number, shift_x: number, shift_y: number, breath: number}} Pose
 *   angles in radians, shifts in heights of the face, breath 0..1
 */

const VERSION = 1;
const SIZE = 136;
const WEIGHTS = 52;
const HAS_RTP = 1;
const FIXED = 16384;
const FULL = 65535;

/**
 * @param {unknown} message
 * @returns {MotionFrame | null} null: nothing that this page understands
 */
export function decodeMotion(message) {
  if (!(message instanceof ArrayBuffer) || message.byteLength < SIZE) return null;
  const view = new DataView(message);
  if (view.getUint8(0) !== VERSION || message.byteLength !== SIZE + view.getUint8(2)) return null;
  const pts = view.getFloat64(8);
  if (!Number.isFinite(pts)) return null;
  /** @param {number} index */
  const fixed = (index) => view.getInt16(16 + 2 * index) / FIXED;
  const weights = new Float32Array(WEIGHTS);
  for (let index = 0; index < WEIGHTS; index++) weights[index] = view.getUint16(32 + 2 * index) / FULL;
  return {
    pts,
    rtp: view.getUint8(1) & HAS_RTP ? view.getUint32(4) : null,
    pose: {
      yaw: fixed(0), pitch: fixed(1), roll: fixed(2), shift_x: fixed(3), shift_y: fixed(4),
      breath: view.getUint16(30) / FULL,
    },
    gaze: [fixed(5), fixed(6)],
    weights,
    gesture: new TextDecoder().decode(new Uint8Array(message, SIZE)),
  };
}
