// @ts-check
/** Keying by the graphics processor. The arithmetic is that of key2d.js. */
import { openGl, program } from "./render/gl.js";

const WHOLE = `
void main() {
  gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0 - 1.0, 0.0, 1.0);
}`;

/** Colours (multiplied by alpha) on the left, alpha as grey on the right. */
const SIDE = `
uniform sampler2D video;
out vec4 colour;
void main() {
  ivec2 size = textureSize(video, 0);
  ivec2 at = ivec2(int(gl_FragCoord.x), size.y - 1 - int(gl_FragCoord.y));
  float alpha = clamp((texelFetch(video, at + ivec2(size.x / 2, 0), 0).g - 0.02) / 0.96, 0.0, 1.0);
  colour = vec4(min(texelFetch(video, at, 0).rgb, alpha), alpha);
}`;

/** See key2d.js for what is done and why. */
const KEY = `
uniform sampler2D video;
uniform vec3 key;
out vec4 colour;
const float REACH = 3.0;
ivec2 size;
vec3 fetch(ivec2 at) { return texelFetch(video, clamp(at, ivec2(0), size - 1), 0).rgb; }
vec2 chroma(vec3 c) {
  float y = dot(c, vec3(0.299, 0.587, 0.114));
  return vec2((c.b - y) * 0.564, (c.r - y) * 0.713);
}
void main() {
  size = textureSize(video, 0);
  ivec2 at = ivec2(int(gl_FragCoord.x), size.y - 1 - int(gl_FragCoord.y));
  vec2 keyed = chroma(key);
  float whole = length(keyed);
  vec3 c = fetch(at);
  float own = length(chroma(c) - keyed) / whole;
  vec2 outwards = vec2(0.0);
  float least = own;
  for (int turn = 0; turn < 8; turn++) {
    float angle = float(turn) * 0.7853981634;
    vec2 way = vec2(cos(angle), sin(angle));
    for (int ring = 1; ring <= 2; ring++) {
      float distance = length(chroma(fetch(at + ivec2(round(way * REACH * 0.5 * float(ring))))) - keyed) / whole;
      least = min(least, distance);
      outwards += way * max(0.0, 1.0 - distance);
    }
  }
  float alpha = clamp((own - 0.1) / 0.8, 0.0, 1.0);
  bool inside = least > 0.25 && own > 0.6;
  if (inside) alpha = 1.0;
  else if (length(outwards) > 0.5) {
    vec3 solid = fetch(at - ivec2(round(normalize(outwards) * (REACH + 1.0))));
    if (length(chroma(solid) - keyed) / whole > 0.6) {
      vec3 span = solid - key;
      alpha = clamp((dot(c - key, span) / dot(span, span) - 0.02) / 0.96, 0.0, 1.0);
    }
  }
  if (own < 0.1) alpha = 0.0;
  vec3 mine = c - (1.0 - alpha) * key;
  if (least <= 0.25 || own < 0.9) mine.g = min(mine.g, max(mine.r, mine.b));
  colour = vec4(clamp(mine, vec3(0.0), vec3(alpha)), alpha);
}`;

/** Draws into a canvas of its own. */
export class KeyGl {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {boolean} side alpha beside the colours; else before a key colour
   * @param {[number, number, number]} key 0..1
   */
  constructor(canvas, side, key) {
    const gl = openGl(canvas);
    this.gl = gl;
    this.key = key;
    this.program = program(gl, WHOLE, side ? SIDE : KEY);
    this.texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
    for (const wrap of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, wrap, gl.CLAMP_TO_EDGE);
  }

  /** @param {HTMLVideoElement} video @param {number} width @param {number} height of the canvas */
  draw(video, width, height) {
    const { gl } = this;
    gl.viewport(0, 0, width, height);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, video);
    gl.useProgram(this.program.linked);
    gl.uniform1i(this.program.at("video"), 0);
    gl.uniform3fv(this.program.at("key"), this.key);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  close() {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
