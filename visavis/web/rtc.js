// @ts-check
/** One connection to the RTC room: sound both ways, the picture or the motion to draw it from, the data channel. */
import { TIMING } from "./timing.js";

/** The connection could not be made. */
export class ConnectError extends Error {
  /** @param {RTCPeerConnection} pc */
  constructor(pc) {
    super(`ICE ${pc.iceConnectionState}, connection ${pc.connectionState}`);
    this.name = "ConnectError";
    this.pc = pc;
  }
}

/**
 * The server sends H.264 constrained baseline in single-NAL-or-FU-A packets: ask for exactly that first.
 * @param {RTCRtpTransceiver} transceiver
 */
function preferH264(transceiver) {
  const codecs = RTCRtpReceiver.getCapabilities?.("video")?.codecs;
  if (!codecs || !transceiver.setCodecPreferences) return;
  /** @param {{mimeType: string, sdpFmtpLine?: string}} codec */
  const rank = ({ mimeType, sdpFmtpLine = "" }) => {
    if (mimeType.toLowerCase() !== "video/h264") return 3;
    const baseline = /profile-level-id=42[0-9a-f]{4}/i.test(sdpFmtpLine);
    return baseline && sdpFmtpLine.includes("packetization-mode=1") ? (/42e0/i.test(sdpFmtpLine) ? 0 : 1) : 2;
  };
  transceiver.setCodecPreferences([...codecs].sort((a, b) => rank(a) - rank(b)));
}

/**
 * Resolves with the next picture that is shown.
 * @param {HTMLVideoElement | {first: () => Promise<void>}} video a video, or what is drawn here
 * @returns {Promise<void>}
 */
export function firstFrame(video) {
  if (!(video instanceof HTMLVideoElement)) return video.first();
  return new Promise((resolve) => {
    if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(() => resolve());
    else /** @type {HTMLMediaElement} */ (video).addEventListener("loadeddata", () => resolve(), { once: true });
  });
}

/**
 * Events: `message` (detail: text), `lost`, `open` (the data channel).
 */
export class Peer extends EventTarget {
  /** @type {string | null} */
  pcId = null;
  stream = new MediaStream();
  #closed = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #lostTimer;
  /** @type {{candidate: string, sdp_mid: string | null, sdp_mline_index: number | null}[]} */
  #found = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #trickleTimer;

  /**
   * @param {import("./api.js").RoomApi} api
   * @param {MediaStreamTrack} track
   * @param {RTCConfiguration} configuration
   * @param {{motion?: boolean}} [wish] motion: frames to draw from, instead of a picture
   */
  constructor(api, track, configuration, { motion = false } = {}) {
    super();
    this.api = api;
    this.pc = new RTCPeerConnection({ ...configuration, bundlePolicy: "max-bundle" });
    this.audio = this.pc.addTransceiver(track, { direction: "sendrecv" });
    if (!motion) preferH264(this.pc.addTransceiver("video", { direction: "recvonly" }));
    this.channel = this.pc.createDataChannel("chat", { ordered: true });
    this.channel.addEventListener("message", (event) => this.#tell("message", event.data));
    this.channel.addEventListener("open", () => this.#tell("open"));
    this.channel.addEventListener("close", () => this.#lost());
    // A lost frame is not worth waiting for: the next one comes in 40 ms.
    this.motion = motion ? this.pc.createDataChannel("motion", { ordered: false, maxRetransmits: 0 }) : null;
    if (this.motion) this.motion.binaryType = "arraybuffer";
    this.pc.addEventListener("track", (event) => {
      this.stream.addTrack(event.track);
      // Browsers hold sound for some 80 ms: pictures held as long have lips and voice together from the start, not
      // after seconds (docs/rtc.md). Browsers without this attribute choose for themselves.
      if (event.track.kind === "video" && "jitterBufferTarget" in event.receiver) event.receiver.jitterBufferTarget = 80;
    });
    this.pc.addEventListener("icecandidate", (event) => this.#trickle(event.candidate));
    this.pc.addEventListener("connectionstatechange", () => this.#watch());
  }

  /**
   * Resolves once connected; rejects with ConnectError, ApiError, or the signal's reason.
   * @param {string | null} replaces the pc_id of the broken connection that this one takes over from
   * @param {AbortSignal} signal
   */
  async connect(replaces, signal) {
    await this.pc.setLocalDescription(await this.pc.createOffer());
    const answer = await this.api.offer(this.pc.localDescription?.sdp ?? "", replaces, signal);
    signal.throwIfAborted();
    this.pcId = answer.pc_id;
    this.#sendCandidates();
    await this.pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    await this.#connected(signal);
  }

  /** @param {AbortSignal} signal @returns {Promise<void>} */
  #connected(signal) {
    const { pc } = this;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => finish(() => reject(new ConnectError(pc))), TIMING.connect);
      const check = () => {
        if (pc.connectionState === "connected") finish(resolve);
        else if (["failed", "closed"].includes(pc.connectionState)) finish(() => reject(new ConnectError(pc)));
      };
      const abort = () => finish(() => reject(signal.reason));
      /** @param {() => void} then */
      const finish = (then) => {
        clearTimeout(timer);
        pc.removeEventListener("connectionstatechange", check);
        signal.removeEventListener("abort", abort);
        then();
      };
      pc.addEventListener("connectionstatechange", check);
      signal.addEventListener("abort", abort, { once: true });
      check();
    });
  }

  /** @param {RTCIceCandidate | null} candidate */
  #trickle(candidate) {
    this.#found.push({
      candidate: candidate?.candidate ?? "",
      sdp_mid: candidate?.sdpMid ?? "0",
      sdp_mline_index: candidate?.sdpMLineIndex ?? 0,
    });
    if (this.pcId && !this.#trickleTimer) this.#trickleTimer = setTimeout(() => this.#sendCandidates(), TIMING.trickle);
  }

  #sendCandidates() {
    this.#trickleTimer = undefined;
    if (this.#closed || !this.pcId || !this.#found.length) return;
    const batch = this.#found.splice(0);
    // A lost candidate is no failure by itself: others may do, and ConnectError tells when none did.
    this.api.candidates(this.pcId, batch).catch((error) => this.#tell("trickleFailed", error));
  }

  #watch() {
    const state = this.pc.connectionState;
    clearTimeout(this.#lostTimer);
    if (state === "failed") this.#lost();
    else if (state === "disconnected") this.#lostTimer = setTimeout(() => this.#lost(), TIMING.lost);
  }

  #lost() {
    if (!this.#closed) this.#tell("lost");
  }

  /** @param {string} name @param {unknown} [detail] */
  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** @param {string} text @returns {boolean} whether it went out */
  send(text) {
    if (this.channel.readyState !== "open") return false;
    this.channel.send(text);
    return true;
  }

  /** @param {MediaStreamTrack} track */
  async replaceVoice(track) {
    await this.audio.sender.replaceTrack(track);
  }

  /** Ends the connection here; `leave` also tells the server. @param {{leave?: boolean}} [how] */
  close({ leave = false } = {}) {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#lostTimer);
    clearTimeout(this.#trickleTimer);
    if (leave && this.pcId) this.api.leave(this.pcId).catch(() => undefined); // it notices by itself, only later
    this.pc.close();
  }
}
