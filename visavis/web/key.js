// @ts-check
/**
 * Transparent pictures: a video before a key colour, or with its alpha beside it, drawn with real transparency into a
 * canvas that lies where the video is. With WebGL 2 where there is any, else in two dimensions.
 */
import { KeyGl } from "./keygl.js";
import { Key2d } from "./key2d.js";

/** @typedef {{transparency: "none" | "key" | "side", key_color: string}} Picture how the job's video is to be shown */

/** @param {string} color #RRGGBB @returns {[number, number, number]} 0..1 */
export function parseColor(color) {
  const match = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color);
  if (!match) throw new Error(`not a colour: ${color}`);
  const [red, green, blue] = match.slice(1).map((part) => parseInt(part, 16) / 255);
  return [red, green, blue];
}

const PLACE = /** @type {const} */ (["left", "top", "width", "height"]);

/** A video shown with its transparency. The video itself goes on playing, unseen. */
export class Keyed {
  /** @type {HTMLCanvasElement} */
  canvas;
  #closed = false;
  #callback = 0;
  /** @type {KeyGl | Key2d} */
  #painter;
  #watch = new MutationObserver(() => this.#place());

  /**
   * @param {HTMLVideoElement} video
   * @param {Picture} picture
   * @param {{webgl?: boolean}} [options] webgl false: draw in two dimensions
   */
  constructor(video, picture, { webgl = true } = {}) {
    this.video = video;
    this.side = picture.transparency === "side";
    this.key = parseColor(picture.key_color);
    [this.canvas, this.#painter] = this.#begin(webgl);
    video.after(this.canvas);
    if (video.parentElement) video.parentElement.dataset.transparent = picture.transparency;
    // Almost unseen, but painted: browsers slow down videos that are not (the green must not show, even so).
    video.style.clipPath = "inset(0 calc(100% - 1px) calc(100% - 1px) 0)";
    video.style.opacity = "0.01";
    this.#watch.observe(video, { attributes: true, attributeFilter: ["style"] });
    this.#place();
    this.#draw();
    this.#next();
  }

  /** @param {boolean} webgl @returns {[HTMLCanvasElement, KeyGl | Key2d]} */
  #begin(webgl) {
    const canvas = document.createElement("canvas");
    canvas.className = "keyed";
    canvas.setAttribute("aria-hidden", "true");
    canvas.style.position = "absolute";
    if (webgl) {
      try {
        const painter = new KeyGl(canvas, this.side, this.key);
        canvas.dataset.way = "webgl";
        canvas.addEventListener("webglcontextlost", () => this.#replace(), { once: true });
        return [canvas, painter];
      } catch {
        // No WebGL 2 here. A canvas that was asked for it gives no other context: take a fresh one.
        return this.#begin(false);
      }
    }
    canvas.dataset.way = "2d";
    return [canvas, new Key2d(canvas, this.side, this.key)];
  }

  /** The graphics processor has dropped the canvas: go on without it. */
  #replace() {
    if (this.#closed) return;
    const old = this.canvas;
    [this.canvas, this.#painter] = this.#begin(false);
    old.replaceWith(this.canvas);
    this.#place();
    this.#draw();
  }

  #place() {
    for (const side of PLACE) {
      const value = this.video.style[side];
      if (this.canvas.style[side] !== value) this.canvas.style[side] = value;
    }
  }

  #draw() {
    const { videoWidth, videoHeight } = this.video;
    if (!videoWidth || this.video.readyState < 2) return;
    const width = this.side ? videoWidth >> 1 : videoWidth;
    if (this.canvas.width !== width || this.canvas.height !== videoHeight) {
      this.canvas.width = width;
      this.canvas.height = videoHeight;
    }
    this.#painter.draw(this.video, width, videoHeight);
  }

  #next() {
    if (this.#closed) return;
    const go = () => {
      if (this.#closed) return;
      this.#draw();
      this.#next();
    };
    if ("requestVideoFrameCallback" in this.video) this.#callback = this.video.requestVideoFrameCallback(go);
    else this.#callback = requestAnimationFrame(go);
  }

  /** Show the plain video again. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    if ("cancelVideoFrameCallback" in this.video) this.video.cancelVideoFrameCallback(this.#callback);
    else cancelAnimationFrame(this.#callback);
    this.#watch.disconnect();
    this.#painter.close();
    this.canvas.remove();
    this.video.style.clipPath = "";
    this.video.style.opacity = "";
    delete this.video.parentElement?.dataset.transparent;
  }
}
