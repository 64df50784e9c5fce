// What Python sent: one block of bytes, written by app/player/__init__.py: uint32 length of the header, the header as
// JSON, padding to 4 bytes, then the arrays the header names. Values are codes: minimum + quantum × code.

function decode(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const start = Math.ceil((4 + length) / 4) * 4;
  const arrays = {};
  for (const [name, { offset, count, type }] of Object.entries(header.arrays)) {
    const width = Number(type[1]);
    const part = bytes.subarray(start + offset, start + offset + count * width);
    // single bytes stay where they are; wider numbers need an address that is a multiple of their width
    arrays[name] = width === 1 ? part : new { 2: Uint16Array, 4: Uint32Array }[width](part.slice().buffer);
  }
  return { ...header, arrays };
}

// A moment of the animation: a frame, or on the way from one to the next. Only a playing animation is ever between.
class Moment {
  constructor(view, position, blend) {
    this.view = view;
    this.cells = view.nx * view.ny;
    this.frame = clamp(Math.floor(position + 1e-9), 0, view.leads.length - 1);
    this.next = Math.min(this.frame + 1, view.leads.length - 1);
    this.share = blend ? clamp(position - this.frame, 0, 1) : 0;
  }

  // What an array holds at a cell, as a function of the cell; NaN where there is none.
  reader(name) {
    const codes = this.view.arrays[name];
    const { minimum, quantum, missing } = this.view.scales[name];
    const [from, to, share] = [this.frame * this.cells, this.next * this.cells, this.share];
    return (cell) => {
      const code = codes[from + cell];
      if (code === missing) return NaN;
      if (!share) return minimum + quantum * code;
      const later = codes[to + cell];
      return later === missing ? NaN : minimum + quantum * (code + share * (later - code));
    };
  }

  // What a panel shows, as a function of the cell: an array, or the difference of two.
  shower([first, second]) {
    const one = this.reader(first);
    if (!second) return one;
    const other = this.reader(second);
    return (cell) => one(cell) - other(cell);
  }
}

// For every cell itself or, on land and in obstacles, the nearest free cell: with its colour under what is drawn over
// it, the colours of the field reach its edge unmixed.
function nearestFree({ nx, ny, arrays }) {
  const nearest = new Int32Array(nx * ny).map((_, cell) => (arrays.solid[cell] ? -1 : cell));
  let reached = [...nearest.keys()].filter((cell) => nearest[cell] >= 0);
  while (reached.length) {
    const next = [];
    for (const cell of reached) {
      const column = cell % nx;
      const around = [cell - nx, cell + nx, column > 0 ? cell - 1 : -1, column < nx - 1 ? cell + 1 : -1];
      for (const other of around) {
        if (other < 0 || other >= nx * ny || nearest[other] >= 0) continue;
        nearest[other] = nearest[cell];
        next.push(other);
      }
    }
    reached = next;
  }
  return nearest.map((from, cell) => (from < 0 ? cell : from));
}

// The 2nd to 98th percentile of a panel's values at a moment, symmetric where its colours are.
function ownLimits(moment, values, symmetric) {
  const known = [];
  const show = moment.shower(values);
  for (let cell = 0; cell < moment.cells; cell++) {
    const value = moment.view.arrays.solid[cell] ? NaN : show(cell);
    if (!Number.isNaN(value)) known.push(symmetric ? Math.abs(value) : value);
  }
  if (!known.length) return [0, 1];
  const sorted = Float64Array.from(known).sort();
  const high = sorted[Math.round(0.98 * (sorted.length - 1))] || 1e-9;
  const low = symmetric ? -high : sorted[Math.round(0.02 * (sorted.length - 1))];
  return high > low ? [low, high] : [low, low + 1e-9];
}
