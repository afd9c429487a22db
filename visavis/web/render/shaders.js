// @ts-check
/** The programs that draw. All colours are multiplied by alpha. */

/** A rectangle that fills the viewport, without any buffer. */
export const FILL = `
void main() {
  gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0 - 1.0, 0.0, 1.0);
}`;

/**
 * The neutral face with a mouth and eyes, at the pack's own size: base + mask * (patch - base) of both. Where the masks
 * overlap they add up to 1 at most, so neither patch covers the other.
 */
export const FACE = `
uniform sampler2D face, mouth, mouthMask, eyes, eyesMask;
uniform ivec2 faceAt, mouthAt, eyesAt;
out vec4 colour;
vec4 added(sampler2D patchPicture, sampler2D mask, ivec2 at, vec4 base) {
  if (any(lessThan(at, ivec2(0))) || any(greaterThanEqual(at, textureSize(mask, 0)))) return vec4(0.0);
  return texelFetch(mask, at, 0).r * (texelFetch(patchPicture, at, 0) - base);
}
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  vec4 base = texelFetch(face, at - faceAt, 0);
  colour = base + added(mouth, mouthMask, at - mouthAt, base) + added(eyes, eyesMask, at - eyesAt, base);
}`;

/**
 * One axis of a scaling: each pixel is a weighted sum of source pixels along that axis; nothing lies beyond the source.
 * \`kernel\` holds the weights for distances of 0, 1/64, 2/64 ... source pixels.
 */
export const SCALE = `
uniform sampler2D source, kernel;
uniform ivec2 axis;
uniform float scale, shift, reach;
out vec4 colour;
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  float centre = (float(at.x * axis.x + at.y * axis.y) + 0.5 - shift) / scale;
  int first = int(ceil(centre - reach - 0.5)), last = int(floor(centre + reach - 0.5));
  int size = textureSize(source, 0).x * axis.x + textureSize(source, 0).y * axis.y;
  vec4 sum = vec4(0.0);
  float all = 0.0;
  for (int index = first; index <= last; index++) {
    float weight = texelFetch(kernel, ivec2(int(abs(float(index) + 0.5 - centre) * 64.0 + 0.5), 0), 0).r;
    all += weight;
    if (index >= 0 && index < size) sum += weight * texelFetch(source, at + axis * (index - at), 0);
  }
  sum = clamp(sum / all, 0.0, 1.0);
  // A kernel that overshoots must not make a colour brighter than its alpha.
  colour = vec4(min(sum.rgb, sum.a), sum.a);
}`;

/** The person, displaced: each point of the grid says where the picture is sampled that is shown there. */
export const WARP_VERTEX = `
layout(location = 0) in vec2 point;
layout(location = 1) in vec3 across;
layout(location = 2) in vec4 down;
uniform vec3 acrossSizes;
uniform vec4 downSizes;
uniform float scale;
uniform vec2 shift, headAt, headSize, human, stage;
uniform vec4 turn;
uniform vec2 middle;
out vec2 sampled, local;
void main() {
  vec2 from = point + vec2(dot(across, acrossSizes), dot(down, downSizes));
  sampled = (from * scale + shift - headAt) / headSize;
  local = point * scale + shift;
  vec2 offset = local - 0.5 * human;
  vec2 there = middle + vec2(dot(turn.xy, offset), dot(turn.zw, offset));
  gl_Position = vec4((there / stage * 2.0 - 1.0) * vec2(1.0, -1.0), 0.0, 1.0);
}`;

export const WARP_FRAGMENT = `
uniform sampler2D head;
uniform vec2 human;
in vec2 sampled, local;
out vec4 colour;
void main() {
  bool inside = all(greaterThanEqual(local, vec2(0.0))) && all(lessThanEqual(local, human));
  colour = inside ? texture(head, sampled) : vec4(0.0);
}`;

/** A picture over the whole stage. */
export const PICTURE = `
uniform sampler2D picture;
uniform vec2 stage;
out vec4 colour;
void main() {
  vec2 at = gl_FragCoord.xy / stage;
  colour = texture(picture, vec2(at.x, 1.0 - at.y));
}`;
