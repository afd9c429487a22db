// @ts-check
/** The microphone: opening it, its level, and silence in its place. */

/** The microphone cannot be had. `kind` is a problem's kind. */
export class MicrophoneError extends Error {
  /** @param {string} kind @param {string} cause */
  constructor(kind, cause) {
    super(cause);
    this.name = "MicrophoneError";
    this.kind = kind;
  }
}

/** @type {Record<string, string>} names of DOMException, as the Media Capture standard gives them */
const KINDS = {
  NotAllowedError: "micDenied",
  SecurityError: "micDenied",
  NotFoundError: "micMissing",
  OverconstrainedError: "micMissing",
  NotReadableError: "micBusy",
  AbortError: "micBusy",
};

/** Nobody is asked for a microphone that could not be used, and no code is spent. */
function needCalls() {
  if (typeof RTCPeerConnection === "undefined") throw new MicrophoneError("unsupported", "no RTCPeerConnection");
}

/** @returns {Promise<MediaStreamTrack>} */
async function openTrack() {
  needCalls();
  if (!window.isSecureContext) throw new MicrophoneError("insecure", "not a secure context");
  if (!navigator.mediaDevices?.getUserMedia) throw new MicrophoneError("unsupported", "no mediaDevices");
  try {
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
      video: false,
    });
    return stream.getAudioTracks()[0];
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    throw new MicrophoneError(KINDS[name] ?? "micDenied", String(error));
  }
}

/** What is sent as the person's voice: the microphone, or silence. */
export class Voice {
  /** @type {AnalyserNode | null} */
  #analyser = null;
  /** @type {Float32Array<ArrayBuffer>} */
  #samples = new Float32Array(512);
  #muted = false;

  /**
   * @param {MediaStreamTrack} track
   * @param {AudioContext} context
   * @param {boolean} silent
   */
  constructor(track, context, silent) {
    this.track = track;
    this.context = context;
    this.silent = silent;
    void context.resume();
  }

  /** Ask for the microphone. @returns {Promise<Voice>} */
  static async microphone() {
    const voice = new Voice(await openTrack(), new AudioContext(), false);
    voice.#analyser = voice.context.createAnalyser();
    voice.#analyser.fftSize = voice.#samples.length;
    voice.context.createMediaStreamSource(new MediaStream([voice.track])).connect(voice.#analyser);
    return voice;
  }

  /** A voice that says nothing, for those who type: packets flow, so the room knows that someone is there. */
  static silence() {
    needCalls();
    const context = new AudioContext();
    const sink = context.createMediaStreamDestination();
    const zero = new ConstantSourceNode(context, { offset: 0 });
    zero.connect(sink);
    zero.start();
    return new Voice(sink.stream.getAudioTracks()[0], context, true);
  }

  /** Whether what is played here is taken out of what is sent. */
  get echoCancelled() {
    return this.silent || this.track.getSettings?.().echoCancellation !== false;
  }

  /** Loudness now, 0..1: -60 dB full scale is 0, -12 dB is 1. */
  level() {
    if (!this.#analyser || this.#muted) return 0;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let sum = 0;
    for (const sample of this.#samples) sum += sample * sample;
    const decibel = 10 * Math.log10(sum / this.#samples.length + 1e-9);
    return Math.min(1, Math.max(0, (decibel + 60) / 48));
  }

  get muted() {
    return this.#muted || this.silent;
  }

  /** @param {boolean} muted */
  setMuted(muted) {
    this.#muted = muted;
    this.track.enabled = !muted;
  }

  /** When the device goes away (unplugged, permission taken back). @param {() => void} callback */
  onEnded(callback) {
    this.track.addEventListener("ended", callback, { once: true });
  }

  close() {
    this.track.stop();
    void this.context.close();
  }
}
