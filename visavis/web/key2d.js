// @ts-check
/**
 * Keying without a graphics processor: the pixels are read, keyed, and written back.
 *
 * Before a key colour, a pixel's own colour tells where it stands: its chroma's distance from the key's, in lengths of the
 * key's chroma, is 0 in the background and about 1 in anything neutral. That is enough inside and outside, but not at the edge,
 * where skin and hair stand farther off than grey does. There the pixel is taken as a mixture of the key and what lies just
 * inwards (away from where the key is), and alpha is where on the line between these two it lies. What the key adds is then
 * taken away again, and green that is left beyond red and blue is spill.
 */

const REACH = 3;
const DIRECTIONS = Array.from({ length: 8 }, (_, turn) => [Math.cos((turn * Math.PI) / 4), Math.sin((turn * Math.PI) / 4)]);

/** @param {number} value */
const unit = (value) => (value < 0 ? 0 : value > 1 ? 1 : value);

/**
 * Make alpha of the right half of `source`, for its left half.
 * @param {Uint8ClampedArray} source RGBA of twice the width; colours multiplied by alpha
 * @param {Uint8ClampedArray} target RGBA
 * @param {number} width @param {number} height of the target
 */
export function keySide(source, target, width, height) {
  for (let y = 0; y < height; y++) {
    let from = y * width * 8;
    let to = y * width * 4;
    for (let x = 0; x < width; x++, from += 4, to += 4) {
      const alpha = unit((source[from + width * 4 + 1] / 255 - 0.02) / 0.96);
      // A canvas's pixels are not multiplied by alpha: undo it.
      const share = alpha > 0 ? 1 / alpha : 0;
      target[to] = source[from] * share;
      target[to + 1] = source[from + 1] * share;
      target[to + 2] = source[from + 2] * share;
      target[to + 3] = alpha * 255;
    }
  }
}

/**
 * Key the pixels in place.
 * @param {Uint8ClampedArray} data RGBA
 * @param {number} width @param {number} height
 * @param {[number, number, number]} key 0..1
 * @param {Float32Array} far room for one number a pixel
 */
export function keyColour(data, width, height, key, far) {
  const [kr, kg, kb] = key.map((part) => part * 255);
  const ky = 0.299 * kr + 0.587 * kg + 0.114 * kb;
  const ku = (kb - ky) * 0.564;
  const kv = (kr - ky) * 0.713;
  const whole = Math.hypot(ku, kv);
  for (let at = 0, i = 0; at < width * height; at++, i += 4) {
    const luma = 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
    far[at] = Math.hypot((data[i + 2] - luma) * 0.564 - ku, (data[i] - luma) * 0.713 - kv) / whole;
  }
  const steps = [1, 2].flatMap((ring) => DIRECTIONS.map(([x, y]) => [Math.round(x * REACH * 0.5 * ring), Math.round(y * REACH * 0.5 * ring), x, y]));
  const source = data.slice();
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      const i = at * 4;
      const own = far[at];
      if (own < 0.1) {
        data[i + 3] = 0;
        continue;
      }
      let least = own;
      let outX = 0;
      let outY = 0;
      for (const [dx, dy, wayX, wayY] of steps) {
        const there = Math.min(height - 1, Math.max(0, y + dy)) * width + Math.min(width - 1, Math.max(0, x + dx));
        if (far[there] < least) least = far[there];
        const open = Math.max(0, 1 - far[there]);
        outX += wayX * open;
        outY += wayY * open;
      }
      if (least > 0.25 && own > 0.9) continue; // well inside
      const inside = least > 0.25 && own > 0.6;
      let alpha = inside ? 1 : unit((own - 0.1) / 0.8);
      const length = Math.hypot(outX, outY);
      if (!inside && length > 0.5) {
        const inX = Math.min(width - 1, Math.max(0, x - Math.round((outX / length) * (REACH + 1))));
        const inY = Math.min(height - 1, Math.max(0, y - Math.round((outY / length) * (REACH + 1))));
        const solid = inY * width + inX;
        if (far[solid] > 0.6) {
          const [r, g, b] = [source[solid * 4] - kr, source[solid * 4 + 1] - kg, source[solid * 4 + 2] - kb];
          const along = (source[i] - kr) * r + (source[i + 1] - kg) * g + (source[i + 2] - kb) * b;
          alpha = unit((along / (r * r + g * g + b * b) - 0.02) / 0.96);
        }
      }
      const rest = 1 - alpha;
      const red = Math.max(0, source[i] - rest * kr);
      const blue = Math.max(0, source[i + 2] - rest * kb);
      const green = Math.max(0, Math.min(source[i + 1] - rest * kg, Math.max(red, blue)));
      const share = alpha > 0 ? 1 / alpha : 0;
      data[i] = red * share;
      data[i + 1] = green * share;
      data[i + 2] = blue * share;
      data[i + 3] = alpha * 255;
    }
  }
}

/** Draws into a canvas of its own. */
export class Key2d {
  #far = new Float32Array(0);
  #reader = document.createElement("canvas");

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {boolean} side alpha beside the colours; else before a key colour
   * @param {[number, number, number]} key 0..1
   */
  constructor(canvas, side, key) {
    const [into, from] = [canvas.getContext("2d"), this.#reader.getContext("2d", { willReadFrequently: true })];
    if (!into || !from) throw new Error("this browser has no canvas");
    this.into = into;
    this.from = from;
    this.side = side;
    this.key = key;
  }

  /** @param {HTMLVideoElement} video @param {number} width @param {number} height of the canvas */
  draw(video, width, height) {
    const across = this.side ? width * 2 : width;
    if (this.#reader.width !== across || this.#reader.height !== height) {
      this.#reader.width = across;
      this.#reader.height = height;
      this.#far = new Float32Array(this.side ? 0 : width * height);
    }
    this.from.drawImage(video, 0, 0, across, height);
    const read = this.from.getImageData(0, 0, across, height);
    if (this.side) {
      const made = this.into.createImageData(width, height);
      keySide(read.data, made.data, width, height);
      this.into.putImageData(made, 0, 0);
    } else {
      keyColour(read.data, width, height, this.key, this.#far);
      this.into.putImageData(read, 0, 0);
    }
  }

  close() {
    this.#reader.width = this.#reader.height = 0;
  }
}
