// @ts-check
/** Patches as textures: decoded when they are wanted, dropped when they take too much memory. */
import { texture } from "./gl.js";

/** Bytes of textures that all banks of a person may hold together, 4 a pixel; the two that are shown are always kept. */
export const BUDGET = 128 * 2 ** 20;

export class Patches {
  /** @type {Map<string, {texture: WebGLTexture, bytes: number}>} in the order of their last use */
  #held = new Map();
  /** @type {Map<string, Promise<void>>} */
  #coming = new Map();
  #bytes = 0;
  #closed = false;

  /**
   * @param {WebGL2RenderingContext} gl
   * @param {import("./pack.js").WebPack} pack
   * @param {number} [budget] bytes
   */
  constructor(gl, pack, budget = BUDGET) {
    this.gl = gl;
    this.pack = pack;
    this.budget = budget;
  }

  get bytes() {
    return this.#bytes;
  }

  /** Whether another patch would drive one out. */
  get full() {
    return this.#closed || this.#bytes > 0.9 * this.budget;
  }

  /** The patch's texture, if it is there. @param {string} name @returns {WebGLTexture | null} */
  get(name) {
    const held = this.#held.get(name);
    if (!held) return null;
    this.#held.delete(name);
    this.#held.set(name, held);
    return held.texture;
  }

  /** Resolves once the patch was made ready. @param {string} name @returns {Promise<void>} */
  want(name) {
    if (this.#held.has(name)) return Promise.resolve();
    let coming = this.#coming.get(name);
    if (!coming) {
      coming = this.#load(name).finally(() => this.#coming.delete(name));
      this.#coming.set(name, coming);
    }
    return coming;
  }

  /** @param {string} name */
  async #load(name) {
    const picture = await this.pack.picture(name);
    const { gl } = this;
    const { width, height } = picture;
    if (!this.#closed) {
      this.#held.set(name, { texture: texture(gl, { width, height, picture }), bytes: 4 * width * height });
      this.#bytes += 4 * width * height;
      this.#trim(name);
    }
    picture.close();
  }

  /** @param {string} latest */
  #trim(latest) {
    for (const [name, { texture: old, bytes }] of this.#held) {
      if (this.#bytes <= this.budget || this.#held.size <= 3) return;
      if (name === latest) continue;
      this.#held.delete(name);
      this.#bytes -= bytes;
      this.gl.deleteTexture(old);
    }
  }

  close() {
    this.#closed = true;
    for (const { texture: old } of this.#held.values()) this.gl.deleteTexture(old);
    this.#held.clear();
    this.#bytes = 0;
  }
}
