// Paths of drifting particles. Particle `index` is set free at a random place again every LIFE frames, and where it is
// at a moment follows from the velocities alone: the same moment always shows the same paths.

const PARTICLES = 260;
const LIFE = 14; // frames
const STEPS = 3; // of a frame
const TAIL = 6; // frames that are drawn

class Traces {
  constructor(view) {
    this.view = view;
    this.known = new Map(); // paths by particle and the frame of its birth
  }

  // The last points of all paths up to a moment, in the axes' units: one list of [x, y, x, y …] each.
  at(source, moment) {
    const now = moment.frame + moment.share;
    const paths = [];
    for (let index = 0; index < PARTICLES; index++) {
      const born = Math.floor((now + (index % LIFE)) / LIFE) * LIFE - (index % LIFE);
      const path = this.path(source, index, born);
      const last = Math.round((now - born) * STEPS);
      const first = Math.max(0, last - TAIL * STEPS);
      paths.push(path.subarray(2 * first, 2 * Math.min(last + 1, path.length / 2)));
    }
    return paths;
  }

  path(source, index, born) {
    const key = `${source}/${index}/${born}`;
    if (!this.known.has(key)) this.known.set(key, this.follow(source, index, born));
    return this.known.get(key);
  }

  // Midpoint steps through velocities that are linear in space and time; a path ends at a wall or without velocity.
  follow(source, index, born) {
    const { leads, x, y } = this.view;
    let px = x[0] + random(index, born, 0) * (x[1] - x[0]);
    let py = y[0] + random(index, born, 1) * (y[1] - y[0]);
    const points = [px, py];
    for (let step = 0; step < LIFE * STEPS; step++) {
      const time = born + step / STEPS;
      if (time >= leads.length - 1) break;
      const seconds = (leads[1] - leads[0]) / STEPS;
      const first = time < 0 ? [0, 0] : this.velocity(source, time, px, py);
      if (!first) break;
      const half = [px + (seconds / 2) * first[0], py + (seconds / 2) * first[1]];
      const middle = time < 0 ? [0, 0] : this.velocity(source, time + 0.5 / STEPS, ...half);
      if (!middle) break;
      px += seconds * middle[0];
      py += seconds * middle[1];
      points.push(px, py);
    }
    return Float32Array.from(points);
  }

  velocity(source, time, px, py) {
    const { x0, dx, y0, dy, nx, ny, arrays } = this.view;
    const [column, row] = [(px - x0) / dx, (py - y0) / dy];
    if (!(column >= 0 && row >= 0 && column <= nx - 1 && row <= ny - 1)) return null;
    if (arrays.solid[Math.round(row) * nx + Math.round(column)]) return null;
    const moment = new Moment(this.view, time, true);
    const [i, j] = [Math.min(nx - 2, Math.floor(column)), Math.min(ny - 2, Math.floor(row))];
    const [a, b] = [column - i, row - j];
    const part = (name) => {
      const read = moment.reader(name);
      const corner = (right, up) => read((j + up) * nx + i + right);
      return (
        (1 - b) * ((1 - a) * corner(0, 0) + a * corner(1, 0)) + b * ((1 - a) * corner(0, 1) + a * corner(1, 1))
      );
    };
    const found = [part(`${source}_u`), part(`${source}_v`)];
    return found.some(Number.isNaN) ? null : found;
  }
}

// A number in [0, 1) that follows from three whole numbers (a hash after Wang).
function random(a, b, c) {
  let seed = (a * 73856093) ^ ((b + 4096) * 19349663) ^ ((c + 7) * 83492791);
  seed = Math.imul(seed ^ (seed >>> 16), 0x45d9f3b);
  seed = Math.imul(seed ^ (seed >>> 16), 0x45d9f3b);
  return ((seed ^ (seed >>> 16)) >>> 0) / 2 ** 32;
}
