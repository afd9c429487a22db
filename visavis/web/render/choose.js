// @ts-check
/**
 * Which picture of a bank fits a motion frame best. The numbers come with the pack (visavis/avatar/choose.py made them);
 * here is only what is done with them.
 */

/** @typedef {import("./wire.js").MotionFrame} MotionFrame */
/** @typedef {Record<string, number>} Shapes */

/**
 * @typedef {object} ChooseModel
 * @property {string[]} names of the blendshapes, in the order of a frame's weights
 * @property {number} carry part of the last picture's error that the next choice starts from
 * @property {{features: number[][], opening: number[], opening_weight: number, tuck: number[], closed: number, open: number, teeth: number, teeth_open: number, wrong_side: number}} mouth
 * @property {{features: number[][], look: number[][], look_weight: number, lids: number[], full_gaze: number}} eyes
 */

/** @param {number[]} row @param {ArrayLike<number>} shapes */
function dot(row, shapes) {
  let sum = 0;
  for (let index = 0; index < row.length; index++) sum += row[index] * shapes[index];
  return sum;
}

/** The nearest row of a table of features, seen from where the last picture's error leaves one. */
class Nearest {
  /** @type {{row: number[], features: number[]} | null} */
  before = null;

  /** @param {number[][]} table @param {ChooseModel} model */
  constructor(table, model) {
    this.table = table;
    this.carry = model.carry;
  }

  /** @param {number[]} features @param {number[] | null} penalty a row each */
  pick(features, penalty) {
    const { before, carry } = this;
    const wanted = before ? features.map((each, at) => each + carry * (before.row[at] - before.features[at])) : features;
    let best = 0;
    let least = Infinity;
    this.table.forEach((row, index) => {
      let distance = penalty ? penalty[index] : 0;
      for (let at = 0; at < row.length; at++) distance += (row[at] - wanted[at]) ** 2;
      if (distance < least) [best, least] = [index, distance];
    });
    this.before = { row: this.table[best], features };
    return best;
  }
}

/** @param {ChooseModel} model @param {Shapes} shapes */
const dense = (model, shapes) => model.names.map((name) => shapes[name] ?? 0);

export class MouthChooser {
  /** @param {ChooseModel} model @param {Shapes[]} entries */
  constructor(model, entries) {
    this.model = model.mouth;
    const shapes = entries.map((entry) => dense(model, entry));
    this.nearest = new Nearest(shapes.map((each) => this.#features(each)), model);
    const contacts = shapes.map((each) => this.#contact(each));
    const cost = (/** @type {boolean} */ wrong) => (wrong ? this.model.wrong_side : 0);
    /** @type {Record<string, number[]>} what an entry costs when the frame's lips are apart, closed, or at the teeth */
    this.penalties = {
      apart: contacts.map((each) => cost(each === "touching")),
      touching: contacts.map((each) => cost(each !== "touching")),
      bitten: contacts.map((each) => cost(each !== "bitten")),
    };
  }

  /** @param {ArrayLike<number>} shapes */
  #features(shapes) {
    const { features, opening, opening_weight: weight } = this.model;
    return [...features.map((row) => dot(row, shapes)), weight * Math.max(0, dot(opening, shapes))];
  }

  /** How the lips meet. @param {ArrayLike<number>} shapes */
  #contact(shapes) {
    const opening = dot(this.model.opening, shapes);
    if (opening < this.model.teeth_open && dot(this.model.tuck, shapes) > this.model.teeth) return "bitten";
    return opening < this.model.closed ? "touching" : opening > this.model.open ? "apart" : "other";
  }

  /** Index of the entry to show. @param {MotionFrame} frame */
  pick(frame) {
    return this.nearest.pick(this.#features(frame.weights), this.penalties[this.#contact(frame.weights)] ?? null);
  }
}

export class EyesChooser {
  /** @param {ChooseModel} model @param {Shapes[]} entries */
  constructor(model, entries) {
    this.model = model.eyes;
    const table = entries.map((entry) => {
      const shapes = dense(model, entry);
      return this.#features(shapes, this.model.look.map((row) => dot(row, shapes)));
    });
    this.nearest = new Nearest(table, model);
  }

  /** @param {ArrayLike<number>} shapes @param {number[]} look */
  #features(shapes, look) {
    const { features, look_weight: weight, lids } = this.model;
    const closed = lids.reduce((sum, index) => sum + shapes[index], 0) / lids.length;
    // Where closed eyes look is not seen.
    return [...features.map((row) => dot(row, shapes)), ...look.map((each) => each * weight * Math.max(0, 1 - closed))];
  }

  /** Index of the entry to show. @param {MotionFrame} frame */
  pick(frame) {
    // A source may fill the gaze, the eyeLook shapes, or both with the same meaning: the stronger one counts.
    const look = this.model.look.map((row, axis) => {
      const shaped = dot(row, frame.weights);
      const gaze = Math.max(-1, Math.min(1, frame.gaze[axis] / this.model.full_gaze));
      return Math.abs(gaze) > Math.abs(shaped) ? gaze : shaped;
    });
    return this.nearest.pick(this.#features(frame.weights, look), null);
  }
}
