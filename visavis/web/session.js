// @ts-check
/** One conversation: microphone, job, connection, reconnection, end. The table of its states is in machine.js. */
import { ApiError, RoomApi } from "./api.js";
import { endOf, newJob } from "./job.js";
import { allows, next } from "./machine.js";
import { Voice } from "./media.js";
import { play } from "./picture.js";
import { isFinal, problemOf } from "./problems.js";
import { Peer } from "./rtc.js";
import { clientMessage, clientReady, parse, sendText } from "./rtvi.js";
import { rememberJob } from "./signin.js";
import { TalkMode, modeOf } from "./talkmode.js";
import { TIMING, pause } from "./timing.js";

/** @typedef {import("./types.js").Job} Job */
/** @typedef {import("./types.js").StartOptions} StartOptions */

/**
 * Events: `state`, `message` (RtviMessage), `problem` (Problem | null), `muted`, `attempt` ({n, of}), `asked` (text),
 * `picture` (first frame of a connection), `ended` ({reason, message}).
 */
export class Session extends EventTarget {
  /** @type {import("./machine.js").State} */
  state = "idle";
  /** @type {Job | null} */
  job = null;
  /** @type {Peer | null} */
  peer = null;
  /** @type {Voice | null} */
  voice = null;
  /** @type {StartOptions} what the last start was given, for another try */
  options = {};
  /** The connection is made anew because it was wanted. */
  switching = false;
  talkMode = new TalkMode(this);
  /** The person has switched the microphone off. */
  mutedByHand = false;
  #run = new AbortController();
  /** @type {RoomApi | null} */
  #api = null;

  /** @param {import("./view.js").View} view */
  constructor(view) {
    super();
    this.view = view;
    view.addEventListener("failed", () => void this.redraw());
    addEventListener("pagehide", () => this.peer?.close({ leave: true }));
  }

  /** @param {string} name @param {unknown} [detail] */
  #tell = (name, detail) => this.dispatchEvent(new CustomEvent(name, { detail }));

  /** @param {import("./machine.js").Event} event */
  #go(event) {
    this.state = next(this.state, event);
    this.#tell("state", this.state);
  }

  get muted() {
    return this.mutedByHand || (this.voice?.silent ?? false);
  }

  /**
   * Begin: must be called from a person's gesture, or the browser keeps sound back.
   * @param {StartOptions} options
   */
  async start(options) {
    if (!allows(this.state, "start")) return;
    this.options = options;
    this.#run = new AbortController();
    const { signal } = this.#run;
    this.#go("start");
    this.#tell("problem", null);
    try {
      // The microphone first: a one-time code is not wasted on a refused permission.
      const voice = options.textOnly ? Voice.silence() : await Voice.microphone();
      if (signal.aborted) return voice.close();
      this.voice = voice;
      this.#watchVoice();
      this.setMuted(this.mutedByHand);
      this.#go("micReady");
      this.job = options.job ?? (await newJob(options, signal));
      this.#api = new RoomApi(this.job);
      this.talkMode.reset(modeOf(this.job.talk_mode) ?? "full_duplex");
      rememberJob(this.job);
      this.#go("jobReady");
      await this.#join(null, signal);
    } catch (error) {
      if (!signal.aborted) await this.#fail(error);
    }
  }

  /** @param {string | null} replaces @param {AbortSignal} signal */
  async #join(replaces, signal) {
    if (!this.#api || !this.voice) throw new Error("no job");
    const iceServers = await this.#api.iceServers(signal);
    const { iceTransportPolicy = "all" } = this.options;
    const motion = (await this.view.prepare(this.job, this.#api, signal)) === "client";
    const peer = new Peer(this.#api, this.voice.track, { iceServers, iceTransportPolicy }, { motion });
    this.peer?.close();
    this.peer = peer;
    peer.addEventListener("open", () => peer.send(clientReady()) && this.talkMode.tellCapture());
    peer.addEventListener("message", (event) => this.#receive(/** @type {CustomEvent} */ (event).detail));
    this.view.show(peer, this.job, () => this.voice?.context.outputLatency ?? 0);
    try {
      await peer.connect(replaces, signal);
    } catch (error) {
      if (this.peer === peer) this.peer = null;
      const problem = signal.aborted ? null : await problemOf(error, { byCode: Boolean(this.options.code) });
      peer.close({ leave: !replaces });
      throw problem ? Object.assign(new Error(problem.kind), { problem, pcId: peer.pcId }) : error;
    }
    // Only a connection that once worked can be lost; before that, connect() rejects.
    peer.addEventListener("lost", () => void this.reconnect(peer));
    this.#go("connected");
    void this.#play();
    const ours = () => this.peer === peer && this.state === "live";
    void this.view.watch(peer, signal, ours, this.#tell);
  }

  async #play() {
    if (!(await play(this.view.video))) this.#tell("problem", { kind: "soundBlocked" });
  }

  /** After a gesture: let the sound out. */
  unblockSound() {
    this.#tell("problem", null);
    return this.#play();
  }

  #watchVoice() {
    const { voice } = this;
    this.talkMode.tellCapture();
    voice?.onEnded(() => this.voice === voice && this.state === "live" && this.#tell("problem", { kind: "micMissing" }));
  }

  /** @param {string} text */
  #receive(text) {
    const message = parse(text);
    if (!message) return;
    this.#tell("message", message);
    if (message.type === "server:jobEnd") this.#end(String(message.data.reason ?? "NORMAL"), "");
  }

  /** Somebody else is to draw the picture: connect anew for it. */
  redraw() {
    this.switching = true;
    return this.reconnect().finally(() => (this.switching = false));
  }

  /**
   * Make the connection anew, a few times with growing pauses.
   * @param {Peer | null} [lost] the one that broke
   */
  async reconnect(lost = this.peer) {
    if (!lost || this.peer !== lost || this.state !== "live") return;
    const { signal } = this.#run;
    let { pcId } = lost;
    lost.close();
    this.#go("lost");
    this.#tell("problem", null);
    let last = /** @type {unknown} */ (null);
    for (const [index, wait] of TIMING.backoff.entries()) {
      this.#tell("attempt", { n: index + 1, of: TIMING.backoff.length });
      try {
        await pause(wait, signal);
        if (await this.#isOver(signal)) return;
        await this.#join(pcId, signal);
        return;
      } catch (error) {
        if (signal.aborted) return;
        last = error;
        pcId = /** @type {any} */ (error).pcId ?? pcId;
        if (isFinal((await this.#asProblem(error)).kind)) break;
      }
    }
    await this.#fail(last);
  }

  /** Ask the server whether there is still something to come back to. @param {AbortSignal} signal */
  async #isOver(signal) {
    const end = endOf(await /** @type {RoomApi} */ (this.#api).state(signal));
    if (end) this.#end(end.reason, end.message);
    return end !== null;
  }

  /** @param {any} error @returns {Promise<import("./types.js").Problem>} */
  async #asProblem(error) {
    return error?.problem ?? (await problemOf(error, { byCode: Boolean(this.options.code) }));
  }

  /** @param {unknown} error */
  async #fail(error) {
    const problem = await this.#asProblem(error);
    this.#leave();
    if (!allows(this.state, "problem")) return; // it has ended meanwhile
    if (isFinal(problem.kind)) this.#forget();
    this.#go("problem");
    this.#tell("problem", problem);
  }

  #leave() {
    this.#run.abort();
    this.peer?.close({ leave: true });
    this.peer = null;
    this.voice?.close();
    this.voice = null;
    this.view.close();
  }

  #forget() {
    this.job = null;
    this.#api = null;
    rememberJob(null);
  }

  /** @param {string} reason @param {string} message */
  #end(reason, message) {
    if (!allows(this.state, "jobEnded")) return;
    const jobId = this.job?.job_id ?? "";
    this.#leave();
    this.#forget();
    this.#go("jobEnded");
    this.#tell("problem", null);
    this.#tell("ended", { jobId, reason, message });
  }

  /** End the conversation and its job. */
  async stop() {
    if (!allows(this.state, "stop")) return;
    this.#go("stop");
    if (this.state === "ended") {
      const job = this.job;
      this.#leave();
      if (job) await this.#api?.stop().catch(() => undefined);
      this.#forget();
      this.#tell("ended", { jobId: job?.job_id ?? "", reason: "NORMAL", message: "" });
      return;
    }
    try {
      await this.#api?.stop();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.peer?.send(clientMessage("stop")); // the other way to say it
    }
    // A start that was still under way has no job yet: nothing will tell its end.
    if (this.peer) await pause(TIMING.closing, this.#run.signal).catch(() => undefined);
    this.#end("NORMAL", "");
  }

  /** What a failed start or connection may try again with: the job, as long as it lives. */
  retryOptions() {
    return this.job ? { ...this.options, job: this.job } : this.options;
  }

  interrupt() {
    return this.peer?.send(clientMessage("interrupt")) ?? false;
  }

  /** @param {string} [by] what noticed somebody: VOICE, RADAR, INFRARED, CAMERA */
  wake(by) {
    return this.peer?.send(clientMessage("wake", by ? { wakeup_type: by } : {})) ?? false;
  }

  /** @param {"CN" | "EN" | "AUTO"} language */
  speak(language) {
    return this.peer?.send(clientMessage("language", { language })) ?? false;
  }

  /** A typed question. @param {string} text */
  ask(text) {
    if (!this.peer?.send(sendText(text))) return false;
    this.#tell("asked", text);
    return true;
  }

  /** @param {boolean} muted */
  setMuted(muted) {
    this.mutedByHand = muted;
    if (!muted && this.voice?.silent && this.state === "live") void this.reopenMicrophone();
    this.talkMode.gate();
    this.#tell("muted", this.muted);
  }

  /** Someone who began by typing wants to speak after all, or plugged the microphone in again. */
  async reopenMicrophone() {
    try {
      const voice = await Voice.microphone();
      if (!this.peer) return voice.close();
      await this.peer.replaceVoice(voice.track);
      this.voice?.close();
      this.voice = voice;
      this.#watchVoice();
      this.setMuted(this.mutedByHand);
    } catch (error) {
      this.#tell("problem", await problemOf(error));
    }
  }
}
