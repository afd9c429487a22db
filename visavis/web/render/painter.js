// @ts-check
/**
 * Draws the person in WebGL 2 as the server's compositor does: the patches that fit are put into the face at the pack's
 * own size, the changed part is scaled to the picture's size with the same filter, and a mesh displaces the whole by head
 * and breath. Colours are multiplied by alpha throughout, so the canvas lies over the page with true edges.
 */
import { Patches } from "./bank.js";
import { kernel, placement } from "./geometry.js";
import { openGl, program, target, texture } from "./gl.js";
import { Grid } from "./grid.js";
import { FACE, FILL, PICTURE, SCALE, WARP_FRAGMENT, WARP_VERTEX } from "./shaders.js";

/** @typedef {import("./pack.js").Box} Box */
/** @typedef {import("./geometry.js").Place} Place */
/** @typedef {import("./geometry.js").Sizes} Sizes */

/**
 * @typedef {object} Scene  what the picture consists of, in pixels of the room's picture
 * @property {number} width @property {number} height
 * @property {Place | null} human null: fills the stage
 * @property {{width: number, height: number}} [stage] whose part from `offset` on is the picture
 * @property {[number, number]} [offset]
 * @property {ImageBitmap | null} [under] behind the person; none: transparent
 * @property {ImageBitmap | null} [over] before the person
 */

/** The largest side of the picture drawn, device pixels. */
export const MOST_SIDE = 3840;

/** @param {Box[]} boxes @returns {Box} around all */
function around(boxes) {
  const x = Math.min(...boxes.map((box) => box.x));
  const y = Math.min(...boxes.map((box) => box.y));
  return {
    x, y, width: Math.max(...boxes.map((box) => box.x + box.width)) - x,
    height: Math.max(...boxes.map((box) => box.y + box.height)) - y,
  };
}

export class Painter {
  /** @type {string[]} the patches that the face shows: mouth, eyes */
  #inFace = ["", ""];
  /** @type {Scene} */
  #scene = { width: 0, height: 0, human: null };
  /** @type {WebGLTexture | null} */
  #under = null;
  /** @type {WebGLTexture | null} */
  #over = null;
  /** @type {ReturnType<Painter["scaled"]> | null} */
  #scaled = null;
  #drawn = "";

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import("./pack.js").WebPack} pack
   * @param {{budget?: number}} [options] budget: bytes of patches
   */
  constructor(canvas, pack, { budget } = {}) {
    this.canvas = canvas;
    this.pack = pack;
    const gl = (this.gl = openGl(canvas));
    this.patches = new Patches(gl, pack, budget);
    this.faceProgram = program(gl, FILL, FACE);
    this.scaleProgram = program(gl, FILL, SCALE);
    this.warpProgram = program(gl, WARP_VERTEX, WARP_FRAGMENT);
    this.pictureProgram = program(gl, FILL, PICTURE);
    this.nothing = gl.createVertexArray();
    this.grid = new Grid(gl, pack);
    const { mouth, eyes, canvas: size } = pack.model;
    this.face = around([mouth.box, eyes.box]);
    this.size = size;
  }

  /** Decode what every picture needs. */
  async load() {
    const { gl, pack } = this;
    const { mouth, eyes } = pack.model;
    const [base, mouthMask, eyesMask] = await Promise.all(["base", mouth.mask, eyes.mask].map((name) => pack.picture(name)));
    this.composed = texture(gl, { ...this.size, picture: base });
    this.composedTarget = target(gl, this.composed);
    // The face without patches is kept apart: what is composed is drawn over.
    this.neutral = texture(gl, { width: this.face.width, height: this.face.height });
    gl.bindTexture(gl.TEXTURE_2D, this.neutral);
    gl.copyTexSubImage2D(gl.TEXTURE_2D, 0, 0, 0, this.face.x, this.face.y, this.face.width, this.face.height);
    this.mouthMask = texture(gl, { width: mouthMask.width, height: mouthMask.height, picture: mouthMask });
    this.eyesMask = texture(gl, { width: eyesMask.width, height: eyesMask.height, picture: eyesMask });
    for (const each of [base, mouthMask, eyesMask]) each.close();
  }

  /** Set what surrounds the person. @param {Scene} scene */
  setScene(scene) {
    const { gl } = this;
    for (const old of [this.#under, this.#over]) gl.deleteTexture(old);
    [this.#under, this.#over] = [scene.under, scene.over].map((picture) =>
      picture ? texture(gl, { width: picture.width, height: picture.height, linear: true, picture }) : null,
    );
    this.#scene = scene;
    this.#rescale();
  }

  /** The picture's size, device pixels. @param {number} width @param {number} height */
  resize(width, height) {
    const shrink = Math.min(1, MOST_SIDE / Math.max(width, height));
    const [wide, high] = [width, height].map((side) => Math.max(1, Math.round(side * shrink)));
    if (this.canvas.width === wide && this.canvas.height === high && this.#scaled) return;
    this.canvas.width = wide;
    this.canvas.height = high;
    this.#rescale();
  }

  /** Textures for the person at the size it is drawn now. */
  #rescale() {
    if (!this.#scene.width || !this.composed) return;
    this.#freeScaled();
    this.#scaled = this.scaled();
    this.#scale({ x: 0, y: 0, ...this.size });
    this.#drawn = "";
  }

  #freeScaled() {
    const { gl } = this;
    const s = this.#scaled;
    for (const old of s ? [s.kernel, s.middle, s.head] : []) gl.deleteTexture(old);
    for (const old of s ? [s.middleTarget, s.headTarget] : []) gl.deleteFramebuffer(old);
  }

  scaled() {
    const { gl, canvas, pack } = this;
    const scene = this.#scene;
    const stage = scene.stage ?? scene;
    const offset = scene.offset ?? [0, 0];
    const place = scene.human ?? { x: 0, y: 0, width: stage.width, height: stage.height, rotation: 0 };
    const across = canvas.width / scene.width;
    const down = canvas.height / scene.height;
    const human = { width: place.width * across, height: place.height * down };
    const view = human.height >= human.width ? /** @type {const} */ ("portrait") : /** @type {const} */ ("landscape");
    const at = placement(pack.model.views[view], human);
    const { weights, reach } = kernel(at.scale);
    // Whatever can be displaced into sight: the grid reaches as far beyond the canvas as anything moves.
    const margin = Math.ceil(-pack.model.warp.origin[0] * at.scale) + 2;
    const head = { x: -margin, y: -margin, width: Math.ceil(human.width) + 2 * margin, height: Math.ceil(human.height) + 2 * margin };
    const middle = texture(gl, { width: head.width, height: this.size.height });
    const headTexture = texture(gl, { width: head.width, height: head.height, linear: true });
    this.grid.load(view);
    const turn = (place.rotation * Math.PI) / 180;
    return {
      ...at, reach, human, area: head,
      centre: [(place.x + place.width / 2 - offset[0]) * across, (place.y + place.height / 2 - offset[1]) * down],
      turn: [Math.cos(turn), -Math.sin(turn), Math.sin(turn), Math.cos(turn)],
      kernel: texture(gl, { width: weights.length, height: 1, floats: weights }),
      middle, head: headTexture, middleTarget: target(gl, middle), headTarget: target(gl, headTexture),
    };
  }

  /**
   * Draw a picture. A patch that is not decoded yet keeps the one before it on show; it is made ready meanwhile.
   * @param {number} mouth @param {number} eyes indices of entries
   * @param {Sizes} sizes
   * @returns {boolean} whether anything changed
   */
  draw(mouth, eyes, sizes) {
    const { model } = this.pack;
    const s = this.#scaled;
    if (!s || this.gl.isContextLost()) return false;
    const wanted = [model.mouth.entries[mouth].file, model.eyes.entries[eyes].file];
    for (const [index, name] of wanted.entries()) {
      if (this.patches.get(name) || !this.#inFace[index]) continue;
      void this.patches.want(name).catch(() => undefined); // a damaged patch: the face keeps the one it has
      wanted[index] = this.#inFace[index];
    }
    if (!wanted.every((name) => this.patches.get(name))) {
      wanted.forEach((name) => void this.patches.want(name).catch(() => undefined));
      return false;
    }
    const state = JSON.stringify([wanted, sizes]);
    if (state === this.#drawn) return false;
    this.#show(wanted);
    this.#paint(sizes, s);
    this.#drawn = state;
    return true;
  }

  /** Resolves once these two are ready to be drawn. @param {number} mouth @param {number} eyes */
  async ready(mouth, eyes) {
    const { model } = this.pack;
    await Promise.all([model.mouth.entries[mouth].file, model.eyes.entries[eyes].file].map((name) => this.patches.want(name)));
  }

  /** Make patches ready one after the other, so that none is waited for later. @param {string[]} names */
  async prepare(names) {
    for (const name of names) {
      if (this.gl.isContextLost() || this.patches.full) return;
      await this.patches.want(name).catch(() => undefined);
    }
  }

  /** Put mouth and eyes into the face, where they are not yet. @param {string[]} wanted */
  #show(wanted) {
    const { gl, pack, face } = this;
    const { mouth, eyes } = pack.model;
    const changed = [mouth.box, eyes.box].filter((_, index) => wanted[index] !== this.#inFace[index]);
    if (!changed.length) return;
    this.#inFace = wanted;
    gl.bindVertexArray(this.nothing);
    gl.disable(gl.BLEND);
    const [mouthPatch, eyesPatch] = wanted.map((name) => /** @type {WebGLTexture} */ (this.patches.get(name)));
    for (const box of changed) {
      gl.bindFramebuffer(gl.FRAMEBUFFER, this.composedTarget ?? null);
      gl.viewport(box.x, box.y, box.width, box.height);
      this.faceProgram.use({
        face: this.neutral ?? 0, mouth: mouthPatch, mouthMask: this.mouthMask ?? 0, eyes: eyesPatch, eyesMask: this.eyesMask ?? 0,
        faceAt: { int: [face.x, face.y] }, mouthAt: { int: [mouth.box.x, mouth.box.y] }, eyesAt: { int: [eyes.box.x, eyes.box.y] },
      });
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
      this.#scale(box);
    }
  }

  /** Bring a part of the face to the picture's size. @param {Box} box canvas pixels */
  #scale(box) {
    const { gl } = this;
    const s = this.#scaled;
    if (!s || !this.composed) return;
    const { scale, area, reach } = s;
    /** @param {number} from @param {number} length @param {number} shift @param {number} limit */
    const touched = (from, length, shift, limit) => {
      const first = Math.max(0, Math.floor((from - reach) * scale + shift));
      return [first, Math.max(0, Math.min(limit, Math.ceil((from + length + reach) * scale + shift)) - first)];
    };
    const shift = [s.x - area.x, s.y - area.y];
    const [left, width] = touched(box.x, box.width, shift[0], area.width);
    const [top, height] = touched(box.y, box.height, shift[1], area.height);
    gl.bindVertexArray(this.nothing);
    gl.disable(gl.BLEND);
    const common = { scale, reach, kernel: s.kernel };
    gl.bindFramebuffer(gl.FRAMEBUFFER, s.middleTarget);
    gl.viewport(left, box.y, width, box.height);
    this.scaleProgram.use({ ...common, source: this.composed, shift: shift[0], axis: { int: [1, 0] } });
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.bindFramebuffer(gl.FRAMEBUFFER, s.headTarget);
    gl.viewport(left, top, width, height);
    this.scaleProgram.use({ ...common, source: s.middle, shift: shift[1], axis: { int: [0, 1] } });
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  /** @param {Sizes} sizes @param {NonNullable<ReturnType<Painter["scaled"]>>} s */
  #paint(sizes, s) {
    const { gl, canvas } = this;
    const stage = [canvas.width, canvas.height];
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.#picture(this.#under, stage);
    this.warpProgram.use({
      head: s.head, acrossSizes: [sizes.yaw, sizes.roll, sizes.shift_x],
      downSizes: [sizes.pitch, sizes.roll, sizes.shift_y, sizes.breath],
      scale: s.scale, shift: [s.x, s.y], headAt: [s.area.x, s.area.y], headSize: [s.area.width, s.area.height],
      human: [s.human.width, s.human.height], stage, turn: s.turn, middle: s.centre,
    });
    this.grid.draw();
    this.#picture(this.#over, stage);
  }

  /** @param {WebGLTexture | null} picture @param {number[]} stage */
  #picture(picture, stage) {
    if (!picture) return;
    const { gl } = this;
    gl.bindVertexArray(this.nothing);
    this.pictureProgram.use({ picture, stage });
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  /** Free what the graphics card holds; the canvas may be drawn on anew. */
  close() {
    const { gl } = this;
    this.patches.close();
    this.grid.close();
    this.#freeScaled();
    for (const each of [this.composed, this.neutral, this.mouthMask, this.eyesMask, this.#under, this.#over]) gl.deleteTexture(each ?? null);
    gl.deleteFramebuffer(this.composedTarget ?? null);
    this.#scaled = null;
  }
}
