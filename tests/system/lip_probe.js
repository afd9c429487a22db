// What a person at the page sees and hears, with the times of both: runs in the page before its own scripts.
(() => {
  // motion: [time, message as base64]; messages: what else the server says; seen: [time, brightness about the lips] of each
  // picture; blocks: of sound. All times are those of performance.now().
  const probe = (window.probe = { motion: [], messages: [], seen: [], blocks: [], prepared: false });
  const text = (buffer) => {
    const bytes = new Uint8Array(buffer);
    let out = "";
    for (let at = 0; at < bytes.length; at += 8192) out += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return btoa(out);
  };
  const open = RTCPeerConnection.prototype.createDataChannel;
  RTCPeerConnection.prototype.createDataChannel = function (label, ...more) {
    const channel = open.call(this, label, ...more);
    channel.addEventListener("message", ({ data }) => {
      const at = performance.now();
      if (typeof data === "string") return void probe.messages.push({ at, ...JSON.parse(data) });
      probe.motion.push([at, text(data)]);
    });
    if (label !== "motion") probe.channel = channel;
    return channel;
  };
  probe.command = (name, data = {}) =>
    probe.channel.send(JSON.stringify({ label: "rtvi-ai", type: "client-message", id: "p", data: { t: name, d: data } }));

  // The sound of the page as the browser's mixer gets it, in blocks of 480 samples: [its first sample's place on the context's
  // clock, when it came here]. The blocks are made on the sound's own thread, so a busy page loses none.
  const RECORDER = `registerProcessor("recorder", class extends AudioWorkletProcessor {
    block = new Float32Array(480);
    filled = 0;
    process([[data]]) {
      for (let at = 0; at < 128; at++) {
        this.block[this.filled++] = data ? data[at] : 0;
        if (this.filled < 480) continue;
        this.port.postMessage([currentFrame + at - 479, this.block]);
        this.block = new Float32Array(480);
        this.filled = 0;
      }
      return true;
    }
  })`;
  probe.listen = async () => {
    const context = (probe.context = new AudioContext({ sampleRate: 48000, latencyHint: "interactive" }));
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([RECORDER], { type: "text/javascript" })));
    const source = context.createMediaStreamSource(new MediaStream(document.querySelector("video").srcObject.getAudioTracks()));
    const node = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
    node.port.onmessage = ({ data: [frame, block] }) => probe.blocks.push({ at: performance.now(), frame, block });
    source.connect(node);
  };
  // All sound since `listen`: places and times of the blocks, and their samples as base64 of int16.
  probe.heard = () => {
    const { blocks } = probe;
    const pcm = new Int16Array(blocks.length * 480);
    blocks.forEach(({ block }, index) => block.forEach((value, at) => (pcm[index * 480 + at] = Math.round(value * 32767))));
    // They were handed over with the mixer's own buffer behind them, and the loudspeaker's before them.
    const { outputLatency, baseLatency } = probe.context;
    return [blocks.map(({ frame, at }) => [frame, at]), text(pcm.buffer), 1000 * (outputLatency - baseLatency)];
  };

  // Brightness about the lips of each picture that the page draws, read from the canvas as soon as it is drawn.
  probe.look = async ([left, top, width, height]) => {
    const { Painter } = await import("/web/render/painter.js");
    const { draw, prepare } = Painter.prototype;
    Painter.prototype.prepare = async function (...given) {
      await prepare.apply(this, given);
      probe.prepared = true;
    };
    let pixels = new Uint8Array(0);
    Painter.prototype.draw = function (...given) {
      const changed = draw.apply(this, given);
      if (!changed) return changed;
      const { gl, canvas } = this;
      const [x, y] = [Math.round(left * canvas.width), Math.round(top * canvas.height)];
      const [w, h] = [Math.round(width * canvas.width), Math.round(height * canvas.height)];
      if (pixels.length !== 4 * w * h) pixels = new Uint8Array(4 * w * h);
      gl.readPixels(x, canvas.height - y - h, w, h, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
      let sum = 0;
      for (let at = 0; at < pixels.length; at += 4) sum += 0.299 * pixels[at] + 0.587 * pixels[at + 1] + 0.114 * pixels[at + 2];
      probe.seen.push([performance.now(), sum / (w * h)]);
      return changed;
    };
  };
  // The same of each picture of the server's video, at the time at which the browser shows it.
  probe.watch = ([left, top, width, height]) => {
    const video = document.querySelector("video");
    const canvas = new OffscreenCanvas(1, 1);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const look = (_, { expectedDisplayTime }) => {
      const [w, h] = [Math.round(width * video.videoWidth), Math.round(height * video.videoHeight)];
      if (canvas.width !== w) [canvas.width, canvas.height] = [w, h];
      context.drawImage(video, Math.round(left * video.videoWidth), Math.round(top * video.videoHeight), w, h, 0, 0, w, h);
      const { data } = context.getImageData(0, 0, w, h);
      let sum = 0;
      for (let at = 0; at < data.length; at += 4) sum += 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
      probe.seen.push([expectedDisplayTime, sum / (w * h)]);
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  };
})();
