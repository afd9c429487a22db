// @ts-check
/** Small helpers around WebGL 2. Textures here have their first row at the top of the picture. */

/** WebGL 2 is not to be had, or a shader does not compile. */
export class GlError extends Error {
  name = "GlError";
}

/** @param {HTMLCanvasElement | OffscreenCanvas} canvas @returns {WebGL2RenderingContext} */
export function openGl(canvas) {
  const gl = /** @type {WebGL2RenderingContext | null} */ (
    canvas.getContext("webgl2", { alpha: true, premultipliedAlpha: true, antialias: false, depth: false, stencil: false })
  );
  if (!gl) throw new GlError("this browser has no WebGL 2");
  gl.disable(gl.DITHER);
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  return gl;
}

/** @type {Map<boolean, boolean>} */
const able = new Map();

/** Renderers that draw on the processor; not every browser counts them as a caveat. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

/** @param {WebGL2RenderingContext} gl */
function rendererOf(gl) {
  const more = gl.getExtension("WEBGL_debug_renderer_info");
  return String(gl.getParameter(more?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER));
}

/**
 * Whether this browser can draw; found out once.
 * @param {boolean} [swiftly] only with a graphics card
 */
export function canDraw(swiftly = false) {
  if (!able.has(swiftly)) {
    const canvas = document.createElement("canvas");
    const gl = canvas.getContext("webgl2", { failIfMajorPerformanceCaveat: swiftly });
    const slow = swiftly && gl !== null && SOFTWARE.test(rendererOf(gl));
    able.set(swiftly, gl !== null && !slow && typeof createImageBitmap === "function");
    gl?.getExtension("WEBGL_lose_context")?.loseContext();
  }
  return able.get(swiftly) === true;
}

/** @param {WebGL2RenderingContext} gl @param {string} vertex @param {string} fragment @returns {Program} */
export function program(gl, vertex, fragment) {
  const linked = gl.createProgram();
  for (const [type, source] of /** @type {[number, string][]} */ ([[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]])) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(type));
    gl.shaderSource(shader, `#version 300 es\nprecision highp float;\nprecision highp int;\nprecision highp sampler2D;\n${source}`);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) throw new GlError(gl.getShaderInfoLog(shader) ?? "shader");
    gl.attachShader(linked, shader);
  }
  gl.linkProgram(linked);
  if (!gl.getProgramParameter(linked, gl.LINK_STATUS) && !gl.isContextLost()) throw new GlError(gl.getProgramInfoLog(linked) ?? "program");
  return new Program(gl, linked);
}

/** A linked program with its uniforms by name. */
export class Program {
  /** @type {Map<string, WebGLUniformLocation | null>} */
  #places = new Map();

  /** @param {WebGL2RenderingContext} gl @param {WebGLProgram} linked */
  constructor(gl, linked) {
    this.gl = gl;
    this.linked = linked;
  }

  /** @param {string} name */
  at(name) {
    if (!this.#places.has(name)) this.#places.set(name, this.gl.getUniformLocation(this.linked, name));
    return this.#places.get(name) ?? null;
  }

  /**
   * Use it with these values: arrays of 2 to 4 numbers are vectors of floats, textures take units in their order.
   * @param {Record<string, number | number[] | WebGLTexture | {int: number[]}>} values
   */
  use(values) {
    const { gl } = this;
    gl.useProgram(this.linked);
    let unit = 0;
    for (const [name, value] of Object.entries(values)) {
      const place = this.at(name);
      if (value instanceof WebGLTexture) {
        gl.activeTexture(gl.TEXTURE0 + unit);
        gl.bindTexture(gl.TEXTURE_2D, value);
        gl.uniform1i(place, unit++);
      } else if (typeof value === "number") gl.uniform1f(place, value);
      else if (!Array.isArray(value)) gl.uniform2iv(place, /** @type {{int: number[]}} */ (value).int);
      else if (value.length === 2) gl.uniform2fv(place, value);
      else if (value.length === 3) gl.uniform3fv(place, value);
      else gl.uniform4fv(place, value);
    }
  }
}

/**
 * @param {WebGL2RenderingContext} gl
 * @param {{width: number, height: number, linear?: boolean, picture?: ImageBitmap, floats?: Float32Array}} what
 * @returns {WebGLTexture}
 */
export function texture(gl, { width, height, linear = false, picture, floats }) {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  if (floats) gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32F, width, height, 0, gl.RED, gl.FLOAT, floats);
  else if (picture) gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, picture);
  else gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA8, width, height);
  const filter = linear ? gl.LINEAR : gl.NEAREST;
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, filter);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, filter);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  return made;
}

/** A framebuffer that draws into a texture. @param {WebGL2RenderingContext} gl @param {WebGLTexture} into */
export function target(gl, into) {
  const made = gl.createFramebuffer();
  gl.bindFramebuffer(gl.FRAMEBUFFER, made);
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, into, 0);
  return made;
}
