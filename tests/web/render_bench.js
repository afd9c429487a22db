// Runs in a blank page: the renderer alone, fed frame by frame. `bench` is all that the tests talk to.
window.bench = {
  async open({ href, headers, width, height, under, over, human, stage, offset, budget, css }) {
    const { WebPack, decodePicture } = await import("/web/render/pack.js");
    const { Painter } = await import("/web/render/painter.js");
    const { MouthChooser, EyesChooser } = await import("/web/render/choose.js");
    const { sizesOf } = await import("/web/render/geometry.js");
    const { decodeMotion } = await import("/web/render/wire.js");
    const pack = await WebPack.fetch(href, headers);
    const canvas = document.createElement("canvas");
    if (css) canvas.style.cssText = css;
    document.body.replaceChildren(canvas);
    const painter = new Painter(canvas, pack, { budget });
    await painter.load();
    const picture = (text) => (text ? decodePicture(new Blob([Uint8Array.from(atob(text), (char) => char.charCodeAt(0))])) : null);
    painter.setScene({ width, height, human: human ?? null, stage, offset, under: await picture(under), over: await picture(over) });
    painter.resize(width, height);
    const shapes = (bank) => bank.entries.map((entry) => entry.blendshapes);
    const mouths = new MouthChooser(pack.model.choose, shapes(pack.model.mouth));
    const eyes = new EyesChooser(pack.model.choose, shapes(pack.model.eyes));
    Object.assign(this, { pack, painter, mouths, eyes, sizesOf, decodeMotion, canvas });
  },
  pick(message) {
    const frame = this.decodeMotion(Uint8Array.from(atob(message), (char) => char.charCodeAt(0)).buffer);
    return { frame, mouth: this.mouths.pick(frame), eyes: this.eyes.pick(frame) };
  },
  // Draws a frame and reads the pixels in the same task: [mouth, eyes, milliseconds, RGBA rows from the bottom].
  async draw(message, read = true) {
    const { frame, mouth, eyes } = this.pick(message);
    await this.painter.ready(mouth, eyes);
    const { gl } = this.painter;
    const pixel = new Uint8Array(4);
    const began = performance.now();
    this.painter.draw(mouth, eyes, this.sizesOf(frame.pose, this.pack.model.warp.limits));
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel); // waits until it is drawn
    const took = performance.now() - began;
    return [mouth, eyes, took, read ? this.read() : ""];
  },
  // Shows entries by their number, in a face that does not move.
  async show(mouth, eyes) {
    const { painter, pack } = this;
    await painter.ready(mouth, eyes);
    const still = { yaw: 0, pitch: 0, roll: 0, shift_x: 0, shift_y: 0, breath: 0 };
    painter.draw(mouth, eyes, this.sizesOf(still, pack.model.warp.limits));
    return painter.patches.bytes;
  },
  read() {
    const { gl, canvas } = this.painter;
    const data = new Uint8Array(canvas.width * canvas.height * 4);
    gl.readPixels(0, 0, canvas.width, canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, data);
    let text = "";
    for (let at = 0; at < data.length; at += 8192) text += String.fromCharCode(...data.subarray(at, at + 8192));
    return btoa(text);
  },
};
