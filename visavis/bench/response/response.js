// Runs before the page's own scripts: a microphone to speak into, and ears and eyes on what is received.
//
// Everything heard and said is counted in frames (1/48000 s) of one AudioContext, so that what left it and what came back are on
// one clock. Pictures have the page's clock (performance.now()); `stamps` relate the two.
(() => {
  const RATE = 48000;
  const BLOCK = 240; // 5 ms of sound, of which the peak is kept
  const BATCH = 8; // blocks that are handed over at once
  const bench = (window.bench = {
    messages: [], // {at, frame, ...message}
    first: -1, // frame of the first block heard
    peaks: [], // one for each block since, 0..1
    stamps: [], // [frame, performance.now() when it had been rendered], one a batch
    shown: [], // [presentationTime, presentedFrames] of each picture
    mouths: [], // [expectedDisplayTime, base64 of luma] of each picture while `watch` is on
  });
  const waiting = new Set();
  const changed = () => waiting.forEach((check) => check());
  /** Resolves with what `look` returns once that is neither null nor undefined, or with null after `seconds`. */
  bench.wait = (look, seconds) =>
    new Promise((resolve) => {
      const end = (value) => {
        clearTimeout(timer);
        waiting.delete(check);
        resolve(value);
      };
      const check = () => {
        const value = look();
        if (value !== null && value !== undefined) end(value);
      };
      const timer = setTimeout(() => end(null), seconds * 1000);
      waiting.add(check);
      check();
    });
  const base64 = (bytes) => {
    let text = "";
    for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return btoa(text);
  };

  // --- what the server says on the data channel ---
  const open = RTCPeerConnection.prototype.createDataChannel;
  RTCPeerConnection.prototype.createDataChannel = function (...given) {
    const channel = open.apply(this, given);
    channel.addEventListener("message", ({ data }) => {
      if (typeof data !== "string") return;
      try {
        bench.messages.push({ at: performance.now(), frame: Math.round((context?.currentTime ?? 0) * RATE), ...JSON.parse(data) });
      } catch {
        return; // not JSON
      }
      changed();
    });
    return channel;
  };
  const kind = (m) =>
    m.type === "user-transcription" && (m.data?.final === false || !m.data?.text) ? "partial" : (m.data?.event ?? m.type);
  /** The first message from number `since` on that is one of `kinds`: a type, or the event of a server-message. */
  bench.message = (kinds, since, seconds) =>
    bench.wait(() => bench.messages.slice(since).find((m) => kinds.includes(kind(m))), seconds);
  /**
   * Resolves once nothing is left to be answered of what came from number `since` on: the "latency" of what was heard last came, and
   * nothing that may still become words was heard in the last `effect` seconds.
   */
  bench.settled = (since, effect, seconds) =>
    bench.wait(() => {
      const those = bench.messages.slice(since);
      const last = (name) => those.findLastIndex((m) => kind(m) === name);
      const heard = last("user-transcription");
      if (heard < 0 || last("latency") < heard) return null;
      const started = last("user-started-speaking");
      if (started > last("user-stopped-speaking") && performance.now() - those[started].at < 10_000) return null;
      const stopped = last("user-stopped-speaking");
      return stopped > heard && performance.now() - those[stopped].at < effect * 1000 ? null : true;
    }, seconds);

  // --- the microphone ---
  let context, microphone, echo;
  navigator.mediaDevices.getUserMedia = async () => {
    context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
    microphone = context.createMediaStreamDestination();
    microphone.channelCount = 1;
    // No microphone is ever quite silent: noise at -75 dB of full scale.
    const noise = context.createBuffer(1, RATE * 3, RATE);
    const samples = noise.getChannelData(0);
    for (let at = 0; at < samples.length; at++) samples[at] = (Math.random() * 2 - 1) * 0.0003;
    const floor = new AudioBufferSourceNode(context, { buffer: noise, loop: true });
    floor.connect(microphone);
    floor.start();
    echo = new GainNode(context, { gain: 0 });
    echo.connect(microphone);
    return microphone.stream;
  };
  const loaded = {};
  bench.load = async (name, sound) => {
    const bytes = Uint8Array.from(atob(sound), (char) => char.charCodeAt(0));
    loaded[name] = await context.decodeAudioData(bytes.buffer);
  };
  /** Say it `lead` seconds from now, or at frame `at`: the frame at which its first sample leaves. */
  bench.speak = (name, lead = 0.03, at = 0) => {
    const source = new AudioBufferSourceNode(context, { buffer: loaded[name] });
    source.connect(microphone);
    const frame = Math.max(Math.ceil((context.currentTime + lead) * RATE), at);
    source.start(frame / RATE);
    return frame;
  };
  /** What is heard goes back into the microphone, so many times as loud; 0: no more. */
  bench.echo = (gain) => void echo.gain.setTargetAtTime(gain, context.currentTime, 0.005);
  bench.frame = () => Math.round(context.currentTime * RATE);

  // --- the ear ---
  const EAR = `registerProcessor("ear", class extends AudioWorkletProcessor {
    batch = new Float32Array(${BATCH});
    at = 0;
    peak = 0;
    process([[data]]) {
      for (let i = 0; i < 128; i++) {
        if (data) this.peak = Math.max(this.peak, Math.abs(data[i]));
        if (++this.at % ${BLOCK}) continue;
        this.batch[this.at / ${BLOCK} - 1] = this.peak;
        this.peak = 0;
        if (this.at < ${BLOCK * BATCH}) continue;
        this.port.postMessage([currentFrame + i + 1 - this.at, this.batch]);
        this.batch = new Float32Array(${BATCH});
        this.at = 0;
      }
      return true;
    }
  })`;
  bench.listen = async () => {
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([EAR], { type: "text/javascript" })));
    const stream = new MediaStream(document.getElementById("video").srcObject.getAudioTracks());
    const source = context.createMediaStreamSource(stream);
    const ear = new AudioWorkletNode(context, "ear", { numberOfOutputs: 1 });
    ear.port.onmessage = ({ data: [frame, batch] }) => {
      if (bench.first < 0) bench.first = frame;
      bench.peaks.push(...batch);
      bench.stamps.push([frame + BLOCK * BATCH, performance.now()]);
      changed();
    };
    source.connect(ear);
    // From the loudspeaker to the microphone: 2 m of air and the buffers of both.
    source.connect(new DelayNode(context, { delayTime: 0.06 })).connect(echo);
  };
  /** Peaks of the blocks from `frame` on, and the frame of the first of them. */
  bench.heard = (frame) => {
    const at = Math.max(0, Math.floor((frame - bench.first) / BLOCK));
    return { first: bench.first + at * BLOCK, peaks: bench.peaks.slice(at) };
  };
  const block = (frame) => Math.max(0, Math.ceil((frame - bench.first) / BLOCK));
  /** The frame at which sound begins after `since`: 3 of 6 blocks louder than `level`. */
  bench.sound = (since, level, seconds) => {
    let at = block(since);
    return bench.wait(() => {
      for (; at + 6 <= bench.peaks.length; at++) {
        if (bench.peaks[at] > level && bench.peaks.slice(at, at + 6).filter((peak) => peak > level).length >= 3)
          return bench.first + at * BLOCK;
      }
      return null;
    }, seconds);
  };
  /** The frame since which it has been quiet for `length` seconds, not before `since`. */
  bench.quiet = (since, level, length, seconds) => {
    let at = block(since), from = at;
    const blocks = Math.round((length * RATE) / BLOCK);
    return bench.wait(() => {
      for (; at < bench.peaks.length; at++) {
        if (bench.peaks[at] > level) from = at + 1;
        if (at + 1 - from >= blocks) return bench.first + from * BLOCK;
      }
      return null;
    }, seconds);
  };

  // --- the eye ---
  let canvas, drawing, box = null;
  bench.watch = (given) => void (box = given);
  bench.look = () => {
    const video = document.getElementById("video");
    const note = (_, { presentationTime, expectedDisplayTime, presentedFrames }) => {
      bench.shown.push([presentationTime, presentedFrames]);
      if (box) {
        const [left, top, width, height, columns, rows] = box;
        if (!canvas) {
          canvas = new OffscreenCanvas(columns, rows);
          drawing = canvas.getContext("2d", { willReadFrequently: true });
        }
        const [w, h] = [video.videoWidth, video.videoHeight];
        drawing.drawImage(video, left * w, top * h, width * w, height * h, 0, 0, columns, rows);
        const { data } = drawing.getImageData(0, 0, columns, rows);
        const luma = new Uint8Array(columns * rows);
        for (let i = 0; i < luma.length; i++) luma[i] = 0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2];
        bench.mouths.push([expectedDisplayTime, base64(luma)]);
      }
      video.requestVideoFrameCallback(note);
    };
    video.requestVideoFrameCallback(note);
  };
  /** Statistics of what is received: playout times on the sender's clock, jitter buffers and losses. */
  bench.receiver = async () => {
    const out = { output_ms: 1000 * (context.baseLatency + (context.outputLatency ?? 0)) };
    (await window.visavis.debug.getStats()).forEach((entry) => {
      if (entry.type !== "inbound-rtp") return;
      out[entry.kind] = {
        playout: entry.estimatedPlayoutTimestamp, held_s: entry.jitterBufferDelay, target_s: entry.jitterBufferTargetDelay,
        minimum_s: entry.jitterBufferMinimumDelay, emitted: entry.jitterBufferEmittedCount, lost: entry.packetsLost, jitter_s: entry.jitter,
        concealed: entry.concealedSamples, dropped: entry.framesDropped, stretched: entry.insertedSamplesForDeceleration,
        shortened: entry.removedSamplesForAcceleration,
      };
    });
    return out;
  };
})();
