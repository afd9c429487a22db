// @ts-check
/** The digital human drawn here, from motion frames that the server sends: pack, clock, buffer and painter put together. */
import { TIMING } from "../timing.js";
import { MotionBuffer } from "./buffer.js";
import { EyesChooser, MouthChooser } from "./choose.js";
import { StageClock, playing } from "./clock.js";
import { sizesOf } from "./geometry.js";
import { WebPack, decodePicture } from "./pack.js";
import { Painter } from "./painter.js";
import { decodeMotion } from "./wire.js";

/**
 * @typedef {object} SceneAnswer  of `GET /rtc/v1/rooms/{rid}/scene`
 * @property {boolean} client @property {string} reason
 * @property {{id: string, sha256: string, bytes: number, href: string}} pack
 * @property {number} width @property {number} height
 * @property {[number, number]} stage @property {[number, number]} offset
 * @property {import("./geometry.js").Place | null} human
 * @property {boolean} transparent
 * @property {string | null} under @property {string | null} over
 */

/** Seconds by which a picture may be drawn ahead of the sound; further ahead motion has seldom arrived. */
const MOST_AHEAD = 0.08;

/** This scene cannot be drawn here. */
export class NotDrawable extends Error {
  name = "NotDrawable";
}

/** Events: `frame` (something was drawn, in the same task), `failed` (nothing can be drawn here any more). */
export class Drawing extends EventTarget {
  /** @type {SceneAnswer | null} */
  scene = null;
  /** Frames drawn and milliseconds spent on them, since the last attach. */
  stats = { frames: 0, drawn: 0, ms: 0 };
  #buffer = new MotionBuffer();
  #clock = new StageClock();
  /** @type {WebPack | null} */
  #pack = null;
  /** @type {Painter | null} */
  #painter = null;
  /** @type {{under: Blob | null, over: Blob | null}} */
  #pictures = { under: null, over: null };
  /** @type {MouthChooser | null} */
  #mouths = null;
  /** @type {EyesChooser | null} */
  #eyes = null;
  #shown = { mouth: 0, eyes: 0 };
  /** @type {import("./geometry.js").Sizes | null} of the pose that is shown */
  #sizes = null;
  /** @type {{rtp: number | null, pts: number} | null} the newest frame, by which the sound's clock is read */
  #latest = null;
  /** @type {import("../rtc.js").Peer | null} */
  #peer = null;
  #latency = () => 0;
  #ticking = 0;
  /** Seconds from one picture to the next, of late; what slows drawing down slows it. */
  #pace = 1 / 60;
  /** When the last tick was, if it drew something. */
  #drew = NaN;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #lostTimer;
  /** @type {AbortController | null} of the listeners of one peer */
  #ears = null;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    super();
    this.canvas = canvas;
    canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault(); // without this it never comes back
      if (!this.#painter) return;
      this.#painter = null;
      this.#lostTimer = setTimeout(() => this.#fail(), TIMING.drawing);
    });
    canvas.addEventListener("webglcontextrestored", () => {
      clearTimeout(this.#lostTimer);
      if (this.#pack && this.scene) void this.#paint().catch(() => this.#fail());
    });
  }

  /** The picture's size in the room's pixels; null: there is none. */
  get size() {
    return this.#peer && this.scene ? { width: this.scene.width, height: this.scene.height } : null;
  }

  get buffered() {
    return { waiting: this.#buffer.size, late: this.#buffer.late, dropped: this.#buffer.dropped };
  }

  /**
   * Fetch and make ready what this room's picture needs.
   * @param {import("../api.js").RoomApi} api
   * @param {AbortSignal} [signal]
   */
  async open(api, signal) {
    const scene = /** @type {SceneAnswer} */ (await api.scene(signal));
    if (!scene.client) throw new NotDrawable(scene.reason);
    if (scene.pack.sha256 !== this.scene?.pack.sha256 || !this.#pack) {
      this.#pack = await WebPack.fetch(scene.pack.href, api.packHeaders, signal);
    }
    const [under, over] = await Promise.all([scene.under, scene.over].map((href) => (href ? api.picture(href, signal) : null)));
    this.#pictures = { under, over };
    this.scene = scene;
    await this.#paint();
  }

  async #paint() {
    const { scene } = this;
    if (!scene || !this.#pack) return;
    const fresh = !this.#painter || this.#painter.pack !== this.#pack;
    const painter = fresh ? new Painter(this.canvas, this.#pack) : /** @type {Painter} */ (this.#painter);
    if (fresh) {
      this.#painter?.close();
      this.#painter = null;
    }
    if (fresh) await painter.load();
    const [under, over] = await Promise.all(
      [this.#pictures.under, this.#pictures.over].map((blob) => (blob ? decodePicture(blob) : null)),
    );
    const [width, height] = scene.stage;
    painter.setScene({ ...scene, stage: { width, height }, under, over });
    if (this.canvas.width < 2) this.resize(scene.width, scene.height);
    else painter.resize(this.canvas.width, this.canvas.height);
    for (const picture of [under, over]) picture?.close();
    this.#painter = painter;
    const { mouth, eyes } = this.#pack.model;
    await painter.ready(0, 0);
    void painter.prepare([...eyes.entries, ...mouth.entries].map((entry) => entry.file));
  }

  /** Device pixels of the picture as it is shown. @param {number} width @param {number} height */
  resize(width, height) {
    if (this.#painter) {
      this.#painter.resize(width, height);
      // A canvas of a new size is empty: not for as long as one picture.
      if (this.#sizes) this.#painter.draw(this.#shown.mouth, this.#shown.eyes, this.#sizes);
    } else [this.canvas.width, this.canvas.height] = [Math.round(width), Math.round(height)];
  }

  /**
   * Draw what this connection brings from now on.
   * @param {import("../rtc.js").Peer} peer
   * @param {() => number} latency of the loudspeaker, seconds
   */
  attach(peer, latency) {
    this.detach();
    if (!this.#pack || !peer.motion) return;
    const { choose, mouth, eyes } = this.#pack.model;
    this.#mouths = new MouthChooser(choose, mouth.entries.map((entry) => entry.blendshapes));
    this.#eyes = new EyesChooser(choose, eyes.entries.map((entry) => entry.blendshapes));
    this.#buffer = new MotionBuffer();
    this.#clock = new StageClock();
    this.stats = { frames: 0, drawn: 0, ms: 0 };
    this.#peer = peer;
    this.#latency = latency;
    this.#latest = null;
    this.#sizes = null;
    this.#ears = new AbortController();
    peer.motion.addEventListener("message", (event) => this.#take(event.data), { signal: this.#ears.signal });
  }

  /** Draw no more; what is drawn stays. */
  detach() {
    this.#ears?.abort();
    this.#peer = null;
    cancelAnimationFrame(this.#ticking);
    this.#ticking = 0;
  }

  /** Seconds until this moment of the stage clock is heard; NaN: nobody knows. @param {number} pts */
  until(pts) {
    return pts - this.#clock.now(performance.now() / 1000);
  }

  /** Free the graphics card's memory. */
  close() {
    this.detach();
    const painter = this.#painter;
    this.#painter = null;
    clearTimeout(this.#lostTimer);
    painter?.close();
  }

  /** Resolves with the next picture that is drawn. @returns {Promise<void>} */
  first() {
    return new Promise((resolve) => this.addEventListener("frame", () => resolve(), { once: true }));
  }

  /** @param {unknown} message */
  #take(message) {
    const frame = decodeMotion(message);
    if (!frame) return;
    const jumped = this.#clock.arrived(frame.pts, performance.now() / 1000);
    if (jumped && this.#latest && frame.pts < this.#latest.pts) this.#buffer.clear(); // another stage: its time began anew
    this.#buffer.add(frame);
    this.stats.frames++;
    if (!this.#latest || jumped || frame.pts > this.#latest.pts) this.#latest = { rtp: frame.rtp, pts: frame.pts };
    if (!this.#ticking) this.#ticking = requestAnimationFrame(this.#tick);
  }

  /** @param {number} frameTime milliseconds */
  #tick = (frameTime) => {
    this.#ticking = requestAnimationFrame(this.#tick);
    const passed = frameTime / 1000 - this.#drew;
    if (passed > 0) this.#pace += 0.1 * (Math.min(passed, MOST_AHEAD) - this.#pace);
    this.#drew = NaN;
    const painter = this.#painter;
    if (!this.#peer || !this.#latest || !painter || !this.#pack) return;
    const sound = playing(this.#peer.audio.receiver, this.#latency());
    if (sound) this.#clock.heard(sound.rtp, sound.at, this.#latest);
    const began = performance.now();
    // What is drawn now is shown with the next picture of the screen, and until the one after: it fits the middle of that.
    const shown = began / 1000 + Math.min(MOST_AHEAD, 1.5 * this.#pace);
    const found = this.#buffer.at(this.#clock.now(shown), (frame) => {
      this.#shown = { mouth: this.#mouths?.pick(frame) ?? 0, eyes: this.#eyes?.pick(frame) ?? 0 };
    });
    if (!found) return;
    const { mouth, eyes } = this.#shown;
    this.#sizes = sizesOf(found.pose, this.#pack.model.warp.limits);
    if (!painter.draw(mouth, eyes, this.#sizes)) return;
    this.#drew = frameTime / 1000;
    this.stats.drawn++;
    this.stats.ms += performance.now() - began;
    this.dispatchEvent(new Event("frame"));
  };

  #fail() {
    this.detach();
    this.#pack = null;
    this.dispatchEvent(new Event("failed"));
  }
}
