// @ts-check
/** What is seen: the server's video (with its transparency), or what this browser draws from motion frames. */
import { showVideo, watchPicture } from "./picture.js";
import { remember, wantedMode } from "./render/choice.js";
import { Drawing } from "./render/drawing.js";

/** @typedef {import("./types.js").Job} Job */
/** @typedef {import("./render/choice.js").Mode} Mode */

/**
 * For how long sound has waited in the jitter buffer of late, milliseconds.
 * @param {import("./rtc.js").Peer} peer
 * @param {{delay: number, count: number}} before what was counted when this was asked last; it is set anew
 * @param {number} usual where nothing came since
 */
async function bufferOf(peer, before, usual) {
  const stats = await peer.audio.receiver.getStats();
  for (const one of stats.values()) {
    if (one.type !== "inbound-rtp") continue;
    const [delay, count] = [one.jitterBufferDelay ?? 0, one.jitterBufferEmittedCount ?? 0];
    const fresh = count < before.count ? { delay, count } : { delay: delay - before.delay, count: count - before.count };
    Object.assign(before, { delay, count });
    return fresh.count > 0 ? (1000 * fresh.delay) / fresh.count : usual;
  }
  return usual;
}

/** Events: `frame` (something was drawn here), `failed` (drawing here is over), `mode` (who draws has changed). */
export class View extends EventTarget {
  /** Who draws now. @type {Mode} */
  mode = "server";
  /** Why this browser does not draw although it was to. */
  reason = "";
  /** @type {Mode | null} what was chosen in this page's life */
  #chosen = null;
  /** @type {ReturnType<typeof showVideo>} */
  #keyed = null;
  /** Milliseconds for which sound waits in this browser, as measured when words were told last. */
  #delay = 80;
  /** @type {Promise<void> | null} */
  #measuring = null;
  #heard = { delay: 0, count: 0 };

  /** @param {HTMLVideoElement} video @param {HTMLCanvasElement} canvas */
  constructor(video, canvas) {
    super();
    this.video = video;
    this.canvas = canvas;
    this.drawing = new Drawing(canvas);
    this.drawing.addEventListener("frame", () => this.dispatchEvent(new Event("frame")));
    this.drawing.addEventListener("failed", () => {
      this.#chosen = "server"; // for this page; what the person chose for later stays
      this.reason = "context lost";
      this.dispatchEvent(new Event("failed"));
    });
  }

  /** The person's choice, kept for later visits. @param {Mode} mode */
  choose(mode) {
    this.#chosen = mode;
    remember(mode);
  }

  /**
   * Decide who draws, and get ready for it.
   * @param {Job | null} job
   * @param {import("./api.js").RoomApi} api
   * @param {AbortSignal} signal
   * @returns {Promise<Mode>}
   */
  async prepare(job, api, signal) {
    let mode = wantedMode(job, this.#chosen);
    if (mode === "client") {
      try {
        await this.drawing.open(api, signal);
        this.reason = "";
      } catch (error) {
        signal.throwIfAborted();
        this.reason = String(error); // a film, a video layer, a server without packs: the server draws as ever
        mode = "server";
      }
    }
    if (mode === "server") this.drawing.close();
    return mode;
  }

  /**
   * Show what this connection brings.
   * @param {import("./rtc.js").Peer} peer
   * @param {Job | null} job
   * @param {() => number} latency of the loudspeaker, seconds
   */
  show(peer, job, latency) {
    this.mode = peer.motion ? "client" : "server";
    this.video.srcObject = peer.stream;
    this.canvas.hidden = this.mode === "server";
    if (this.mode === "server") this.#keyed ??= showVideo(this.video, job?.picture);
    else {
      this.#closeKeyed();
      this.drawing.attach(peer, latency);
    }
    this.dispatchEvent(new Event("mode"));
  }

  /**
   * Say so when no picture comes.
   * @param {import("./rtc.js").Peer} peer
   * @param {AbortSignal} signal
   * @param {() => boolean} ours
   * @param {(name: "picture" | "problem", detail?: unknown) => void} tell
   */
  watch(peer, signal, ours, tell) {
    // watchPicture asks of it only when its next picture is shown.
    const source = /** @type {HTMLVideoElement} */ (this.mode === "client" ? /** @type {unknown} */ (this.drawing) : this.video);
    return watchPicture(source, peer.pc, signal, ours, tell);
  }

  /**
   * In how many milliseconds this moment of the stage clock is heard, for what is told as it sounds there.
   * @param {number} pts @param {import("./rtc.js").Peer | null} peer
   */
  heardIn(pts, peer) {
    const exact = this.mode === "client" ? this.drawing.until(pts) : NaN;
    if (Number.isFinite(exact)) return Math.max(0, exact * 1000);
    // Without motion frames nobody tells the stage's time: what is told now lies as far back as sound waits here.
    if (peer && !this.#measuring) {
      this.#measuring = bufferOf(peer, this.#heard, this.#delay)
        .then((ms) => void (this.#delay = ms))
        .catch(() => undefined) // the connection is gone
        .finally(() => void (this.#measuring = null));
    }
    return this.#delay;
  }

  /** The size of the picture as the server counts it; null: not known yet. @param {Job | null} job */
  size(job) {
    if (this.mode === "client" && this.drawing.size) return this.drawing.size;
    const { videoWidth, videoHeight } = this.video;
    if (!videoWidth) return job?.video_config ?? null;
    return { width: job?.picture?.transparency === "side" ? videoWidth / 2 : videoWidth, height: videoHeight };
  }

  /** What a canvas may copy the picture from; null: there is none, or it is transparent. @param {Job | null} job */
  source(job) {
    if ((job?.picture?.transparency ?? "none") !== "none") return null;
    if (this.mode === "client") return this.drawing.size ? this.canvas : null;
    return this.video.videoWidth ? this.video : null;
  }

  #closeKeyed() {
    this.#keyed?.close();
    this.#keyed = null;
  }

  close() {
    this.video.srcObject = null;
    this.#closeKeyed();
    this.drawing.close();
    this.canvas.hidden = true;
  }
}
