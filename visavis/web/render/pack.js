// @ts-check
/** A pack in its web form: one binary file (visavis/avatar/webform.py), read piece by piece. */

/** @typedef {{x: number, y: number, width: number, height: number}} Box */
/** @typedef {{box: Box, mask: string, entries: {id: string, file: string, blendshapes: Record<string, number>}[]}} Bank */

/**
 * @typedef {object} Model  the file's header
 * @property {string} id
 * @property {{width: number, height: number}} canvas
 * @property {{portrait: Box, landscape: Box}} views
 * @property {import("./choose.js").ChooseModel} choose
 * @property {Bank} mouth
 * @property {Bank} eyes
 * @property {{limits: Record<string, {soft: number, sine: boolean}>, cell: number, origin: [number, number], columns: number,
 *   rows: number, fields: Record<string, {file: string, unit: number}>}} warp
 * @property {Record<string, [number, number, string]>} files
 */

const MAGIC = "VVW1";
/** A larger file is refused before it fills the memory. */
const MOST_BYTES = 256 * 2 ** 20;

/** The pack cannot be had, or is damaged. */
export class PackError extends Error {
  name = "PackError";
}

export class WebPack {
  /** @param {ArrayBuffer} content */
  constructor(content) {
    const head = new DataView(content);
    if (content.byteLength < 8 || new TextDecoder().decode(content.slice(0, 4)) !== MAGIC) throw new PackError("not a web pack");
    const length = head.getUint32(4);
    if (8 + length > content.byteLength) throw new PackError("the web pack is cut off");
    /** @type {Model} */
    this.model = JSON.parse(new TextDecoder().decode(new Uint8Array(content, 8, length)));
    this.content = content;
    this.start = 8 + length;
    for (const [offset, size] of Object.values(this.model.files)) {
      if (this.start + offset + size > content.byteLength) throw new PackError("the web pack is cut off");
    }
  }

  /**
   * @param {string} href
   * @param {Record<string, string>} headers
   * @param {AbortSignal} [signal]
   */
  static async fetch(href, headers, signal) {
    // The browser keeps it: its address names its content.
    const answer = await fetch(href, { headers, signal, credentials: "omit" });
    if (!answer.ok) throw new PackError(`the pack: HTTP ${answer.status}`);
    if (Number(answer.headers.get("Content-Length") ?? 0) > MOST_BYTES) throw new PackError("the pack is too large");
    return new WebPack(await answer.arrayBuffer());
  }

  /** @param {string} name */
  #part(name) {
    const listed = this.model.files[name];
    if (!listed) throw new PackError(`the web pack lacks ${name}`);
    return listed;
  }

  /**
   * A picture, decoded: colours as they are written, multiplied by alpha.
   * @param {string} name
   * @returns {Promise<ImageBitmap>}
   */
  async picture(name) {
    const [offset, size, type] = this.#part(name);
    return decodePicture(new Blob([new Uint8Array(this.content, this.start + offset, size)], { type }));
  }

  /** Numbers of a displacement field. @param {string} name @returns {Float32Array} */
  field(name) {
    const { file, unit } = this.model.warp.fields[name];
    const [offset, size] = this.#part(file);
    return Float32Array.from(new Int16Array(this.content, this.start + offset, size / 2), (value) => value * unit);
  }
}

/** @param {Blob} blob @returns {Promise<ImageBitmap>} */
export async function decodePicture(blob) {
  try {
    return await createImageBitmap(blob, { premultiplyAlpha: "premultiply", colorSpaceConversion: "none" });
  } catch (error) {
    throw new PackError(`a picture of the pack is damaged: ${error}`);
  }
}
