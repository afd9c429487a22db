// @ts-check
/** The mesh that displaces the person: the fields of the pack as attributes of its points. */

/**
 * The grid of the displacements as a mesh: [x, y, yaw, roll, shift_x, pitch, roll, shift_y, breath] a point, canvas pixels.
 * @param {import("./pack.js").WebPack} pack
 * @param {"portrait" | "landscape"} view
 */
function mesh(pack, view) {
  const { cell, origin, columns, rows } = pack.model.warp;
  const fields = ["x/yaw", "x/roll", "x/shift_x", "y/pitch", "y/roll", "y/shift_y"].map((name) => pack.field(name));
  const breath = pack.field(`y/breath.${view}`);
  const points = new Float32Array(columns * rows * 9);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      points.set([origin[0] + column * cell, origin[1] + row * cell, ...fields.map((field) => field[at]), breath[row]], at * 9);
    }
  }
  const triangles = new Uint32Array((columns - 1) * (rows - 1) * 6);
  let next = 0;
  for (let row = 0; row + 1 < rows; row++) {
    for (let column = 0; column + 1 < columns; column++) {
      const corner = row * columns + column;
      triangles.set([corner, corner + 1, corner + columns, corner + 1, corner + columns, corner + columns + 1], next);
      next += 6;
    }
  }
  return { points, triangles };
}

export class Grid {
  /** @type {(WebGLBuffer | null)[]} */
  #buffers = [];
  #view = "";
  #count = 0;

  /** @param {WebGL2RenderingContext} gl @param {import("./pack.js").WebPack} pack */
  constructor(gl, pack) {
    this.gl = gl;
    this.pack = pack;
    this.array = gl.createVertexArray();
  }

  /** How the breath fades depends on the view. @param {"portrait" | "landscape"} view */
  load(view) {
    if (this.#view === view) return;
    const { gl } = this;
    const { points, triangles } = mesh(this.pack, view);
    this.#free();
    this.#buffers = [gl.createBuffer(), gl.createBuffer()];
    gl.bindVertexArray(this.array);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#buffers[0]);
    gl.bufferData(gl.ARRAY_BUFFER, points, gl.STATIC_DRAW);
    // Places as in the shader: the point, what adds to its column, what adds to its row.
    for (const [place, count, from] of [[0, 2, 0], [1, 3, 8], [2, 4, 20]]) {
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, count, gl.FLOAT, false, 36, from);
    }
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.#buffers[1]);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, triangles, gl.STATIC_DRAW);
    this.#count = triangles.length;
    this.#view = view;
  }

  /** With the program that is in use. */
  draw() {
    this.gl.bindVertexArray(this.array);
    this.gl.drawElements(this.gl.TRIANGLES, this.#count, this.gl.UNSIGNED_INT, 0);
  }

  #free() {
    for (const buffer of this.#buffers) this.gl.deleteBuffer(buffer);
  }

  close() {
    this.#free();
    this.gl.deleteVertexArray(this.array);
  }
}
