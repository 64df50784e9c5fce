// Four synchronised maps on canvases. The data are one block of bytes, written by app/player/__init__.py:
// uint32 length of the header, the header as JSON, padding to 4 bytes, then the arrays the header names.

const MISSING = 65535; // the code of "no value"
const SOLID = [139, 148, 155]; // obstacles and held particles
const SPEEDS = [0.25, 0.5, 1, 2, 4];
const ICONS = {
  play: "M4 2l10 6-10 6z",
  pause: "M4 2h3v12H4zM9 2h3v12H9z",
  back: "M12 2L4 8l8 6zM3 2h2v12H3z",
  next: "M4 2l8 6-8 6zM11 2h2v12h-2z",
  loop: "M3 8a5 5 0 0 1 8.6-3.5H9.5V6H14V1.5h-1.5v1.9A6.5 6.5 0 1 0 14.4 9h-1.5A5 5 0 1 1 3 8z",
};

const players = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  let player = players.get(parentElement);
  if (!player) {
    player = new Player(parentElement);
    players.set(parentElement, player);
  }
  player.onPick = (cell) => setStateValue("cell", cell);
  player.show(decode(data));
  return () => player.rest();
}

function decode(bytes) {
  const buffer = bytes.slice().buffer; // its own buffer, so that typed views are aligned
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const start = Math.ceil((4 + length) / 4) * 4;
  const arrays = {};
  for (const [name, { offset, count, type }] of Object.entries(header.arrays)) {
    arrays[name] = new { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array }[type](buffer, start + offset, count);
  }
  return { ...header, arrays };
}

const element = (tag, className, parent, text) => {
  const node = document.createElement(tag);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
};

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

class Player {
  constructor(parent) {
    this.root = element("div", "player", parent);
    this.root.tabIndex = 0;
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", "Animated maps: space plays, arrow keys step");
    this.maps = element("div", "maps", this.root);
    this.position = 0; // in frames, fractional while playing
    this.speed = 1;
    this.loop = true;
    this.playing = false;
    this.buildBar();
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    this.resizes = new ResizeObserver(() => this.layout());
  }

  buildBar() {
    const bar = element("div", "bar", this.root);
    this.back = this.button(bar, "back", "One frame back (←)", () => this.step(-1));
    this.toggle = this.button(bar, "play", "Play (space)", () => this.setPlaying(!this.playing));
    this.toggle.classList.add("play");
    this.next = this.button(bar, "next", "One frame on (→)", () => this.step(1));
    this.rate = element("select", "speed", bar);
    this.rate.title = "Speed of the animation";
    this.rate.setAttribute("aria-label", "Speed of the animation");
    for (const speed of SPEEDS) this.rate.append(new Option(`${speed}×`, speed, speed === 1, speed === 1));
    this.rate.addEventListener("change", () => (this.speed = Number(this.rate.value)));
    this.again = this.button(bar, "loop", "Repeat", () => {
      this.loop = !this.loop;
      this.again.setAttribute("aria-pressed", this.loop);
    });
    this.again.setAttribute("aria-pressed", this.loop);
    this.scrub = element("input", "scrub", bar);
    this.scrub.type = "range";
    this.scrub.setAttribute("aria-label", "Lead time");
    this.scrub.addEventListener("input", () => {
      this.setPlaying(false);
      this.seek(Number(this.scrub.value));
    });
    this.clock = element("div", "clock", bar);
  }

  button(bar, icon, title, action) {
    const button = element("button", icon, bar);
    button.type = "button";
    button.title = title;
    button.setAttribute("aria-label", title);
    setIcon(button, icon);
    button.addEventListener("click", action);
    return button;
  }

  // A new block of data: the same forecast (another variable) keeps the time, a new one starts over.
  show(view) {
    const fresh = !this.view || this.view.forecast !== view.forecast;
    this.view = view;
    this.nearestSea = view.onEarth ? nearestFree(view) : null;
    this.buildPanels();
    this.scrub.min = 0;
    this.scrub.max = view.leads.length - 1;
    this.scrub.step = 1;
    this.resizes.observe(this.root);
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (fresh) {
      this.position = calm ? view.leads.length - 1 : 0;
      this.playing = !calm;
    }
    this.layout();
    this.setPlaying(this.playing);
  }

  rest() {
    cancelAnimationFrame(this.pending);
    this.pending = 0;
    this.resizes.disconnect();
  }

  buildPanels() {
    this.maps.replaceChildren();
    this.panels = this.view.panels.map((panel) => new Panel(this, panel));
    this.picked = this.view.cell;
  }

  layout() {
    const width = this.root.clientWidth;
    if (!width || !this.view) return;
    const wide = this.view.aspect > 2;
    const columns = wide ? (width < 720 ? 1 : 2) : width < 340 ? 1 : width < 880 ? 2 : 4;
    this.root.style.setProperty("--columns", columns);
    for (const panel of this.panels) panel.resize();
    this.draw();
  }

  get frame() {
    return clamp(Math.floor(this.position + 1e-9), 0, this.view.leads.length - 1);
  }

  // An array's physical value: minimum + quantum × code.
  read(name, frame, cell) {
    const { arrays, scales, nx, ny } = this.view;
    const code = arrays[name][frame * nx * ny + cell];
    return code === MISSING ? NaN : scales[name].minimum + scales[name].quantum * code;
  }

  seek(position) {
    this.position = clamp(position, 0, this.view.leads.length - 1);
    this.draw();
  }

  step(by) {
    this.setPlaying(false);
    this.seek(this.frame + by);
  }

  setPlaying(playing) {
    this.playing = playing;
    setIcon(this.toggle, playing ? "pause" : "play");
    this.toggle.title = playing ? "Pause (space)" : "Play (space)";
    this.toggle.setAttribute("aria-label", this.toggle.title);
    cancelAnimationFrame(this.pending);
    if (!playing) return;
    if (this.position >= this.view.leads.length - 1) this.position = 0;
    this.before = undefined;
    this.pending = requestAnimationFrame((now) => this.tick(now));
  }

  tick(now) {
    const count = this.view.leads.length;
    const elapsed = this.before === undefined ? 0 : Math.min(250, now - this.before) / 1000;
    this.before = now;
    const shown = this.frame;
    this.position += (elapsed * this.speed * count) / this.view.seconds;
    if (this.position >= count) {
      if (!this.loop) {
        this.seek(count - 1);
        this.setPlaying(false);
        return;
      }
      this.position %= count;
    }
    if (this.frame !== shown || !elapsed) this.draw();
    this.pending = requestAnimationFrame((later) => this.tick(later));
  }

  onKey(event) {
    const onControl = ["SELECT", "INPUT"].includes(event.target.tagName);
    const onButton = event.target.tagName === "BUTTON";
    if (event.key === " " && !onButton) this.setPlaying(!this.playing);
    else if (event.key === "ArrowLeft" && !onControl) this.step(-1);
    else if (event.key === "ArrowRight" && !onControl) this.step(1);
    else return;
    event.preventDefault();
  }

  draw() {
    const { leads, forecast, variable, onEarth, arrays } = this.view;
    const frame = this.frame;
    for (const panel of this.panels) {
      panel.draw(frame);
      panel.pinAt(this.picked, frame);
    }
    this.scrub.value = frame;
    const [lead, last, at] = this.clockText(frame);
    this.clock.replaceChildren("lead ", element("b", "", null, lead), ` / ${last}${at}`);
    this.scrub.setAttribute("aria-valuetext", `lead ${lead}${at}`);
    const coastlines = onEarth ? arrays.coastStarts.length - 1 : 0;
    Object.assign(this.root.dataset, { frame, frames: leads.length, forecast, variable, coastlines });
    this.showValues();
  }

  // What the clock says: the lead time, the last one, and the time that is forecast.
  clockText(frame) {
    const { leads, valid, timeUnits, labels } = this.view;
    if (labels) return [labels[frame][0], labels.at(-1)[0], ` · valid ${labels[frame][1]}`];
    const [lead, last] = [frame, leads.length - 1].map((index) => formatTime(leads[index], leads.at(-1)));
    return [lead, `${last} ${timeUnits}`, ` · valid ${formatTime(valid[frame], valid.at(-1))} ${timeUnits}`];
  }

  hover(point) {
    this.point = point;
    this.showValues();
  }

  showValues() {
    for (const panel of this.panels) panel.showValue(this.point, this.frame);
  }

  // A click chooses a cell for the charts below; obstacles and held particles have nothing to tell.
  pick(cell) {
    if (cell < 0 || this.view.arrays.solid[cell]) return;
    this.picked = cell;
    this.draw();
    this.onPick(cell);
  }
}

// One map: the field of a grid, or particles joined by springs.
class Panel {
  constructor(player, { id, title, note, limits, lut, units, values, positions }) {
    Object.assign(this, { player, id, limits, lut, units, values, positions });
    const { view } = player;
    const map = element("section", "map", player.maps);
    map.dataset.map = id;
    const head = element("div", "map-head", map);
    element("span", "map-title", head, title);
    element("span", "map-note", head, note);
    this.value = element("span", "map-value", head);
    this.frameNode = element("div", `map-frame ${view.kind}`, map);
    this.frameNode.style.aspectRatio = `${view.aspect}`;
    this.canvas = element("canvas", "field", this.frameNode);
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `${title}: ${note}`);
    this.context = this.canvas.getContext("2d");
    this.across = element("div", "hair across", this.frameNode);
    this.along = element("div", "hair along", this.frameNode);
    this.pin = element("div", "pin", this.frameNode);
    this.empty = element("div", "empty", this.frameNode, "no truth here");
    this.addTicks(view);
    this.addLegend(map, view);
    this.frameNode.addEventListener("pointermove", (event) => player.hover(this.toPoint(event)));
    this.frameNode.addEventListener("pointerleave", () => player.hover(null));
    this.frameNode.addEventListener("click", (event) => {
      player.pick(this.cellAt(this.toPoint(event), player.frame));
    });
    if (view.kind === "grid") {
      this.image = new ImageData(view.nx, view.ny);
      this.small = new OffscreenCanvas(view.nx, view.ny);
    }
  }

  addTicks({ x, y, xTicks, yTicks, xTickNames, yTickNames, axesLabel }) {
    for (const [index, value] of xTicks.entries()) {
      const share = (value - x[0]) / (x[1] - x[0]);
      // on a narrow map the last ticks would run into the axes' name at the right end
      const late = axesLabel && share > 0.75 ? "tick x late" : "tick x";
      const tick = element("span", late, this.frameNode, xTickNames[index]);
      tick.style.left = `${100 * share}%`;
    }
    for (const [index, value] of yTicks.entries()) {
      const tick = element("span", "tick y", this.frameNode, yTickNames[index]);
      tick.style.bottom = `${(100 * (value - y[0])) / (y[1] - y[0])}%`;
    }
    element("span", "tick x name", this.frameNode, axesLabel);
  }

  addLegend(map, view) {
    const legend = element("div", "legend", map);
    element("span", "", legend, formatValue(this.limits[0]));
    const strip = element("canvas", "", legend);
    [strip.width, strip.height] = [256, 1];
    const image = new ImageData(256, 1);
    const lut = view.arrays[this.lut];
    for (let i = 0; i < 256; i++) image.data.set([lut[3 * i], lut[3 * i + 1], lut[3 * i + 2], 255], 4 * i);
    strip.getContext("2d").putImageData(image, 0, 0);
    element("span", "", legend, `${formatValue(this.limits[1])} ${this.units}`.trim());
    legend.title = view.legendNote;
  }

  resize() {
    const scale = window.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(this.frameNode.clientWidth * scale));
    const height = Math.max(1, Math.round(this.frameNode.clientHeight * scale));
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
  }

  // The physical value at a cell of a frame, NaN where there is none.
  at(frame, cell) {
    const [first, second] = this.values;
    const value = this.player.read(first, frame, cell);
    return second ? value - this.player.read(second, frame, cell) : value;
  }

  // Where the colour of a value starts in the table of 256 × 3 bytes.
  colourAt(value) {
    const [low, high] = this.limits;
    return 3 * clamp(Math.round((255 * (value - low)) / (high - low)), 0, 255);
  }

  draw(frame) {
    this.missing = !this.hasValues(frame);
    this.empty.style.display = this.missing ? "flex" : "none";
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (this.missing) return;
    const { kind, onEarth } = this.player.view;
    if (kind !== "grid") this.drawParticles(frame);
    else if (onEarth) this.drawEarth(frame);
    else this.drawGrid(frame);
  }

  hasValues(frame) {
    const { nx, ny } = this.player.view;
    for (let cell = 0; cell < nx * ny; cell++) if (!Number.isNaN(this.at(frame, cell))) return true;
    return false;
  }

  drawGrid(frame) {
    const { solid } = this.player.view.arrays;
    this.fillImage((cell) => (solid[cell] ? SOLID : this.colourOf(this.at(frame, cell))));
    this.drawImage(true);
  }

  // Sea in smooth colours, land in sharp cells over it, then the graticule and the coastlines.
  drawEarth(frame) {
    const { solid } = this.player.view.arrays;
    const { nearestSea } = this.player;
    this.fillImage((cell) => this.colourOf(this.at(frame, nearestSea[cell])));
    this.drawImage(true);
    this.fillImage((cell) => (solid[cell] ? SOLID : null));
    this.drawImage(false);
    this.drawGraticule();
    this.drawCoastlines();
  }

  // The colour of a value, null where there is none.
  colourOf(value) {
    if (Number.isNaN(value)) return null;
    const colour = this.colourAt(value);
    return this.player.view.arrays[this.lut].subarray(colour, colour + 3);
  }

  fillImage(colourOf) {
    const { nx, ny } = this.player.view;
    const pixels = this.image.data;
    for (let row = 0; row < ny; row++) {
      for (let column = 0; column < nx; column++) {
        const pixel = 4 * ((ny - 1 - row) * nx + column); // the first row lies at the bottom
        const colour = colourOf(row * nx + column);
        for (let band = 0; colour && band < 3; band++) pixels[pixel + band] = colour[band];
        pixels[pixel + 3] = colour ? 255 : 0;
      }
    }
  }

  drawImage(smooth) {
    this.small.getContext("2d").putImageData(this.image, 0, 0);
    this.context.imageSmoothingEnabled = smooth;
    this.context.imageSmoothingQuality = "high";
    this.context.drawImage(this.small, 0, 0, this.canvas.width, this.canvas.height);
  }

  drawGraticule() {
    const { x, y, xTicks, yTicks } = this.player.view;
    const { width, height } = this.canvas;
    this.context.lineWidth = window.devicePixelRatio || 1;
    this.context.strokeStyle = "rgba(20, 30, 40, 0.15)";
    this.context.beginPath();
    for (const value of xTicks) {
      const across = this.toCanvas(value, y[0])[0];
      this.context.moveTo(across, 0);
      this.context.lineTo(across, height);
    }
    for (const value of yTicks) {
      const along = this.toCanvas(x[0], value)[1];
      this.context.moveTo(0, along);
      this.context.lineTo(width, along);
    }
    this.context.stroke();
  }

  // Points are shares of 65535 of the map's width and height.
  drawCoastlines() {
    const { coast, coastStarts } = this.player.view.arrays;
    const { width, height } = this.canvas;
    this.context.lineWidth = 1.1 * (window.devicePixelRatio || 1);
    this.context.lineJoin = "round";
    this.context.strokeStyle = "#1d262d";
    this.context.beginPath();
    for (let line = 0; line + 1 < coastStarts.length; line++) {
      for (let point = coastStarts[line]; point < coastStarts[line + 1]; point++) {
        const at = [(coast[2 * point] / 65535) * width, (1 - coast[2 * point + 1] / 65535) * height];
        if (point === coastStarts[line]) this.context.moveTo(...at);
        else this.context.lineTo(...at);
      }
    }
    this.context.stroke();
  }

  drawParticles(frame) {
    const { view } = this.player;
    const { context } = this;
    const lut = view.arrays[this.lut];
    const places = [];
    for (let cell = 0; cell < view.nx * view.ny; cell++) places.push(this.place(frame, cell));
    const unit = this.canvas.width / (view.x[1] - view.x[0]);
    context.lineWidth = Math.max(1, 0.025 * unit);
    context.strokeStyle = "rgba(139, 148, 155, 0.55)";
    context.beginPath();
    for (let spring = 0; spring < view.arrays.springs.length; spring += 2) {
      context.moveTo(...places[view.arrays.springs[spring]]);
      context.lineTo(...places[view.arrays.springs[spring + 1]]);
    }
    context.stroke();
    for (let cell = 0; cell < places.length; cell++) {
      const value = this.at(frame, cell);
      const colour = this.colourAt(value);
      context.fillStyle = `rgb(${view.arrays.solid[cell] ? SOLID : lut.subarray(colour, colour + 3)})`;
      context.strokeStyle = "rgba(70, 80, 88, 0.7)";
      context.beginPath();
      context.arc(...places[cell], this.radius(value) * unit, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    }
  }

  // Uncertain particles are drawn larger, so that the spread reads without its colours.
  radius(value) {
    if (this.id !== "spread") return 0.2;
    return 0.12 + 0.18 * clamp(value / this.limits[1], 0, 1);
  }

  // Where a cell lies on the canvas: particles move, the cells of a grid do not.
  place(frame, cell) {
    const { kind, nx, x0, dx, y0, dy } = this.player.view;
    if (kind === "grid") return this.toCanvas(x0 + dx * (cell % nx), y0 + dy * Math.floor(cell / nx));
    return this.toCanvas(...this.positions.map((name) => this.player.read(name, frame, cell)));
  }

  toCanvas(x, y) {
    const { view } = this.player;
    return [
      ((x - view.x[0]) / (view.x[1] - view.x[0])) * this.canvas.width,
      ((view.y[1] - y) / (view.y[1] - view.y[0])) * this.canvas.height,
    ];
  }

  toPoint(event) {
    const { view } = this.player;
    const box = this.frameNode.getBoundingClientRect();
    return {
      x: view.x[0] + ((event.clientX - box.left) / box.width) * (view.x[1] - view.x[0]),
      y: view.y[1] - ((event.clientY - box.top) / box.height) * (view.y[1] - view.y[0]),
    };
  }

  // The cell under a point: on a grid the nearest one, among particles the nearest within reach.
  cellAt({ x, y }, frame) {
    const { view } = this.player;
    if (view.kind === "grid") {
      const column = clamp(Math.round((x - view.x0) / view.dx), 0, view.nx - 1);
      const row = clamp(Math.round((y - view.y0) / view.dy), 0, view.ny - 1);
      return row * view.nx + column;
    }
    const [px, py] = this.toCanvas(x, y);
    const reach = (0.5 * this.canvas.width) / (view.x[1] - view.x[0]);
    let [best, least] = [-1, reach];
    for (let cell = 0; cell < view.nx * view.ny; cell++) {
      const [cx, cy] = this.place(frame, cell);
      const distance = Math.hypot(cx - px, cy - py);
      if (distance < least) [best, least] = [cell, distance];
    }
    return best;
  }

  showValue(point, frame) {
    const { view } = this.player;
    const shown = Boolean(point) && !this.missing;
    for (const hair of [this.across, this.along]) hair.style.display = shown ? "block" : "none";
    if (!shown) {
      this.value.textContent = "";
      return;
    }
    this.across.style.top = this.percent(point).top;
    this.along.style.left = this.percent(point).left;
    const cell = this.cellAt(point, frame);
    if (cell < 0) this.value.textContent = "";
    else if (view.kind === "grid" && view.arrays.solid[cell]) this.value.textContent = view.solidName;
    else this.value.textContent = `${formatValue(this.at(frame, cell), 4)} ${this.units}`.trim();
  }

  percent({ x, y }) {
    const { view } = this.player;
    return {
      left: `${(100 * (x - view.x[0])) / (view.x[1] - view.x[0])}%`,
      top: `${(100 * (view.y[1] - y)) / (view.y[1] - view.y[0])}%`,
    };
  }

  pinAt(cell, frame) {
    this.pin.style.display = this.missing ? "none" : "block";
    const [x, y] = this.place(frame, cell);
    this.pin.style.left = `${(100 * x) / this.canvas.width}%`;
    this.pin.style.top = `${(100 * y) / this.canvas.height}%`;
  }
}

// For every cell itself or, on land, the nearest cell of the sea: with its colour under the land, the colours of the
// sea reach its edge unmixed.
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

function setIcon(button, name) {
  button.innerHTML =
    `<svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true"><path fill="currentColor" d="${ICONS[name]}"/></svg>`;
}

function formatTime(value, largest) {
  return value.toFixed(largest < 100 ? 2 : 1);
}

function formatValue(value, digits = 3) {
  if (Number.isNaN(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size < 1e-3 || size >= 1e4 ? value.toExponential(digits - 2) : value.toPrecision(digits);
  return text.replace("-", "−");
}
