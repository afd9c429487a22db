// @ts-check
/** Where the person lies on the stage, how a pose displaces it, and how pictures are scaled. Plain arithmetic. */

/** @typedef {import("./pack.js").Model} Model */
/** @typedef {import("./pack.js").Box} Box */
/** @typedef {import("./wire.js").Pose} Pose */
/** @typedef {{x: number, y: number, width: number, height: number, rotation: number}} Place */

/** @typedef {{yaw: number, pitch: number, roll: number, shift_x: number, shift_y: number, breath: number}} Sizes */

/**
 * How far a pose displaces: soft limits, and sines of the angles.
 * @param {Pose} pose
 * @param {Model["warp"]["limits"]} limits
 * @returns {Sizes}
 */
export function sizesOf(pose, limits) {
  /** @param {"yaw" | "pitch" | "roll" | "shift_x" | "shift_y"} part */
  const size = (part) => {
    const { soft, sine } = limits[part];
    const bounded = soft * Math.tanh(pose[part] / soft);
    return sine ? Math.sin(bounded) : bounded;
  };
  return {
    yaw: size("yaw"), pitch: size("pitch"), roll: size("roll"), shift_x: size("shift_x"), shift_y: size("shift_y"),
    breath: Math.min(1, Math.max(0, pose.breath)),
  };
}

/**
 * The view covers the person's place; a place of another shape shows the view's middle and its top.
 * @param {Box} view
 * @param {{width: number, height: number}} human
 */
export function placement(view, human) {
  const scale = Math.max(human.width / view.width, human.height / view.height);
  const left = (human.width - view.width * scale) / 2;
  return { scale, x: left - view.x * scale, y: -view.y * scale };
}

/** Keys' cubic with the parameter that OpenCV takes. @param {number} distance */
function cubic(distance) {
  const x = Math.abs(distance);
  const a = -0.75;
  if (x < 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
  return x < 2 ? a * (x ** 3 - 5 * x ** 2 + 8 * x - 4) : 0;
}

/** Weights for a scaling: cubic interpolation, and before a reduction a low-pass filter (planes.py, `Placement.render`). */
export function kernel(/** @type {number} */ scale) {
  const sigma = scale < 1 ? 0.42 * Math.sqrt(1 / scale ** 2 - 1) : 0;
  const radius = sigma ? (Math.round(6 * sigma + 1) | 1) >> 1 : 0;
  /** @type {number[]} */
  const blur = [];
  for (let n = -radius; n <= radius; n++) blur.push(sigma ? Math.exp(-(n ** 2) / (2 * sigma ** 2)) : 1);
  const sum = blur.reduce((total, each) => total + each, 0);
  const reach = 2 + radius;
  const weights = new Float32Array(reach * 64 + 2);
  for (let index = 0; index < weights.length; index++) {
    for (let n = -radius; n <= radius; n++) weights[index] += (blur[n + radius] / sum) * cubic(index / 64 - n);
  }
  return { weights, reach };
}
