// Runs before the page's own scripts: a microphone that the test speaks into, and a journal of the page's events.
(() => {
  const journal = (window.journal = []);
  const names = ["jobInfoChange", "speakingStart", "speakingStop", "speechRecognized", "semanticRecognized", "enterSleep", "enterActive", "jobEndMention", "jobEnd", "error"];
  document.addEventListener("DOMContentLoaded", () => {
    const hook = () => {
      if (!window.visavis) return void requestAnimationFrame(hook);
      for (const name of names) window.visavis.addEventListener(name, (event) => journal.push({ name, detail: event.detail, at: performance.now() }));
    };
    hook();
  });
  // Every message of the data channel, as the page gets it.
  window.messages = [];
  const open = RTCPeerConnection.prototype.createDataChannel;
  RTCPeerConnection.prototype.createDataChannel = function (...given) {
    const channel = open.apply(this, given);
    channel.addEventListener("message", (event) => {
      try { window.messages.push({ at: performance.now(), ...JSON.parse(event.data) }); } catch { /* not JSON */ }
    });
    return channel;
  };
  if (!window.fileMicrophone) {
    let context, mouth;
    navigator.mediaDevices.getUserMedia = async () => {
      context = new AudioContext();
      mouth = context.createMediaStreamDestination();
      const hum = context.createConstantSource();
      hum.offset.value = 0;
      hum.connect(mouth);
      hum.start();
      return mouth.stream;
    };
    window.speak = async (base64) => {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
      const source = context.createBufferSource();
      source.buffer = await context.decodeAudioData(bytes.buffer);
      source.connect(mouth);
      source.start();
      await new Promise((resolve) => (source.onended = resolve));
    };
  }
  // Times of the blocks of received sound (about 5 ms each) that are loud.
  window.listen = () => {
    window.loud = [];
    const context = new AudioContext();
    const source = context.createMediaStreamSource(new MediaStream(document.getElementById("video").srcObject.getAudioTracks()));
    const node = context.createScriptProcessor(256, 1, 1);
    node.onaudioprocess = (event) => {
      const data = event.inputBuffer.getChannelData(0);
      let top = 0;
      for (const value of data) top = Math.max(top, Math.abs(value));
      if (top > 0.02) window.loud.push(performance.now());
    };
    source.connect(node);
    node.connect(context.destination);
  };
  // Receiver statistics: pictures decoded, freezes, and how far lips and voice are apart (sender's clock, milliseconds).
  window.receiver = async () => {
    const out = {};
    (await window.visavis.debug.getStats()).forEach((entry) => {
      if (entry.type !== "inbound-rtp") return;
      out[entry.kind] = {
        decoded: entry.framesDecoded, dropped: entry.framesDropped, freezes: entry.freezeCount, lost: entry.packetsLost,
        playout: entry.estimatedPlayoutTimestamp, jitter: entry.jitterBufferDelay / (entry.jitterBufferEmittedCount || 1),
        concealed: entry.concealedSamples,
      };
    });
    return { at: performance.now(), ...out };
  };
  window.record = () => {
    const stream = new MediaStream(document.getElementById("video").srcObject.getAudioTracks());
    const recorder = (window.recorder = new MediaRecorder(stream, { mimeType: "audio/webm;codecs=opus" }));
    window.chunks = [];
    recorder.ondataavailable = (event) => window.chunks.push(event.data);
    recorder.start();
  };
  window.recording = async () => {
    await new Promise((resolve) => { window.recorder.onstop = resolve; window.recorder.stop(); });
    const buffer = new Uint8Array(await new Blob(window.chunks).arrayBuffer());
    let text = "";
    for (let i = 0; i < buffer.length; i += 8192) text += String.fromCharCode(...buffer.subarray(i, i + 8192));
    return btoa(text);
  };
  // When each picture was shown (by the compositor, not by this script), without looking at it.
  window.times = () => {
    const video = document.getElementById("video");
    window.shown_at = [];
    const note = (_, metadata) => {
      window.shown_at.push(metadata.presentationTime);
      video.requestVideoFrameCallback(note);
    };
    video.requestVideoFrameCallback(note);
  };
  // Luma of a box of the picture, for each frame shown: [time, mean, change since the frame before].
  window.watch = (x, y, width, height) => {
    const video = document.getElementById("video");
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    window.frames_seen = [];
    let before = null;
    const look = (now) => {
      context.drawImage(video, x, y, width, height, 0, 0, width, height);
      const data = context.getImageData(0, 0, width, height).data;
      const luma = new Float32Array(width * height);
      let sum = 0, change = 0;
      for (let i = 0; i < luma.length; i++) {
        luma[i] = 0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2];
        sum += luma[i];
        if (before) change += Math.abs(luma[i] - before[i]);
      }
      window.frames_seen.push([now, sum / luma.length, before ? change / luma.length : 0]);
      before = luma;
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  };
})();
