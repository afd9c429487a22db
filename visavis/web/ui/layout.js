// @ts-check
/** Where the picture and the subtitle box are. Plain arithmetic in CSS pixels. */

/** @typedef {{x: number, y: number, width: number, height: number}} Rect */

/** A picture may lose this share of one side to fill the stage; more would cut into the person. */
const CROP = 0.2;

/**
 * @param {{width: number, height: number}} stage
 * @param {{width: number, height: number}} picture
 * @returns {Rect & {fills: boolean}} in the stage; may stick out of it where it fills
 */
export function fitPicture(stage, picture) {
  if (!picture.width || !picture.height) return { x: 0, y: 0, ...stage, fills: true };
  const inside = Math.min(stage.width / picture.width, stage.height / picture.height);
  const filling = Math.max(stage.width / picture.width, stage.height / picture.height);
  const fills = inside / filling >= 1 - CROP;
  const scale = fills ? filling : inside;
  const width = picture.width * scale;
  const height = picture.height * scale;
  return { x: (stage.width - width) / 2, y: (stage.height - height) / 2, width, height, fills };
}

/** The published canvas of subtitle boxes. @param {{width: number, height: number}} picture */
export const canvasOf = (picture) =>
  picture.width > picture.height ? { width: 1920, height: 1080 } : { width: 1080, height: 1920 };

/**
 * The job's subtitle box on the displayed picture. It keeps its place except where the stage ends or the controls
 * lie: words behind a button help nobody, so it rises above them.
 * @param {import("../types.js").SubtitleBox} box
 * @param {{width: number, height: number}} canvas
 * @param {Rect} picture
 * @param {{width: number, height: number}} stage
 * @param {number} floor where the controls begin
 * @param {number} margin
 * @returns {Rect}
 */
export function placeSubtitle(box, canvas, picture, stage, floor, margin = 12) {
  const scaleX = picture.width / canvas.width;
  const scaleY = picture.height / canvas.height;
  const left = Math.max(margin, picture.x + box.dx * scaleX);
  const right = Math.min(stage.width - margin, picture.x + (box.dx + box.width) * scaleX);
  const height = Math.min(box.height * scaleY, floor - 2 * margin);
  const y = Math.max(margin, Math.min(picture.y + box.dy * scaleY, floor - margin - height));
  return { x: left, y, width: Math.max(0, right - left), height };
}

/** Where a job names no box. @param {{width: number, height: number}} canvas */
export const defaultBox = (canvas) => ({
  dx: canvas.width * 0.06,
  dy: canvas.height * 0.78,
  width: canvas.width * 0.88,
  height: canvas.height * 0.1,
});
