// One map: the field of a grid, or particles joined by springs, with its head, ticks and colour bar.

const SOLID = [139, 148, 155]; // obstacles, land and held particles
const SHARP = 18; // screen pixels of a cell from which on its edges are shown
const MANY_BEYOND = 0.1; // share of cells beyond the colours that is worth a word

class FieldMap {
  constructor(player, panel) {
    this.player = player;
    this.update(panel);
    const { view } = player;
    this.root = element("section", "map", player.maps);
    this.root.dataset.map = panel.id;
    this.root.classList.toggle("pinned", panel.pinned === true);
    this.buildHead();
    this.frameNode = element("div", `map-frame ${view.kind}`, this.root);
    this.frameNode.style.aspectRatio = `${view.aspect}`;
    this.canvas = element("canvas", "field", this.frameNode);
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `${this.title} ${this.note}, a map of ${view.title}`.replace(" ,", ","));
    this.context = this.canvas.getContext("2d");
    const clip = element("div", "clip", this.frameNode);
    this.across = element("div", "hair across", clip);
    this.along = element("div", "hair along", clip);
    this.pin = element("div", "pin", clip);
    this.box = element("div", "box", clip);
    this.empty = element("div", "empty", this.frameNode, panel.emptyWords);
    this.divider = this.swipe.length ? new Divider(this) : null;
    this.ticks = element("div", "ticks", this.frameNode);
    this.buildLegend();
    new Pointer(this);
    if (view.kind === "grid") this.buildImages();
  }

  update(panel) {
    Object.assign(this, panel, { fixedLimits: panel.limits });
  }

  // Give the memory of the pictures back at once.
  free() {
    for (const canvas of [this.canvas, this.small, this.solidImage]) if (canvas) canvas.width = 0;
  }

  buildHead() {
    const head = element("div", "map-head", this.root);
    this.name = element("button", "map-title", head, this.title);
    this.name.type = "button";
    this.name.addEventListener("click", () => this.player.toggleSolo(this.id));
    if (this.pinned !== null) this.buildPin(head);
    element("span", "map-note", head, this.note);
    this.value = element("span", "map-value", head);
  }

  buildPin(head) {
    const pin = element("button", "keep", head);
    pin.type = "button";
    pin.title = this.pinned ? "Pinned on every page: press to let go" : "Pin: mark it on every page";
    pin.setAttribute("aria-label", `Pin ${this.title}`);
    pin.setAttribute("aria-pressed", this.pinned);
    setIcon(pin, "pin");
    pin.addEventListener("click", () => this.player.tell("pin", { panel: this.id }));
  }

  buildImages() {
    const { nx, ny, arrays } = this.player.view;
    this.image = new ImageData(nx, ny);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.small = new OffscreenCanvas(nx, ny);
    this.smallContext = this.small.getContext("2d"); // once: every frame would leave another object behind
    this.solidImage = new OffscreenCanvas(nx, ny);
    const solid = new ImageData(nx, ny);
    for (let cell = 0; cell < nx * ny; cell++) {
      if (arrays.solid[cell]) solid.data.set([...SOLID, 255], 4 * ((ny - 1 - Math.floor(cell / nx)) * nx + (cell % nx)));
    }
    this.solidImage.getContext("2d").putImageData(solid, 0, 0);
    const table = arrays[this.lut];
    this.colours = new Uint32Array(256).map(
      (_, at) => (0xff000000 | (table[3 * at + 2] << 16) | (table[3 * at + 1] << 8) | table[3 * at]) >>> 0,
    );
  }

  // -- colours -------------------------------------------------------------------------------------------

  buildLegend() {
    const legend = element("div", "legend", this.player.legendPlace(this));
    this.ends = ["lower", "upper"].map((which, end) => {
      const input = element("input", `limit ${which}`, legend);
      input.setAttribute("aria-label", `${this.title}: ${which} end of the colours`);
      input.addEventListener("change", () => this.setLimit(end, parseValue(input.value)));
      input.addEventListener("keydown", (event) => event.key === "Enter" && input.blur());
      return input;
    });
    legend.title = this.legendNote;
    const strip = element("canvas", "strip", legend);
    [strip.width, strip.height] = [256, 1];
    const image = new ImageData(256, 1);
    const table = this.player.view.arrays[this.lut];
    for (let at = 0; at < 256; at++) image.data.set([...table.subarray(3 * at, 3 * at + 3), 255], 4 * at);
    strip.getContext("2d").putImageData(image, 0, 0);
    this.strip = strip;
    legend.insertBefore(strip, this.ends[1]);
    this.words = [element("span", "units", legend, this.units), ...this.ends];
    this.beyond = element("button", "beyond", legend);
    this.beyond.type = "button";
    this.beyond.title = "Fit the colours to this forecast";
    this.beyond.addEventListener("click", () => this.player.fitColours());
  }

  // The legend on a picture, where it stands on the screen.
  drawLegend(context, at) {
    const [left, top, width, height] = at(this.strip);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.strip, left, top, width, height);
  }

  setLimit(end, value) {
    const limits = [...this.fixedLimits];
    if (this.symmetric) [limits[0], limits[1]] = [-Math.abs(value), Math.abs(value)];
    else limits[end] = value;
    if (limits.every(Number.isFinite) && limits[0] < limits[1]) this.player.changeLimits(this.group, limits);
    else this.showLimits();
  }

  useLimits(moment) {
    const own = this.player.known.ownColours;
    this.limits = own ? ownLimits(moment, this.values, this.symmetric) : this.fixedLimits;
    if (own && this.fromZero) this.limits[0] = 0;
  }

  showLimits() {
    const own = Boolean(this.player.known.ownColours);
    for (const [end, input] of this.ends.entries()) {
      const text = formatShort((this.limits ?? this.fixedLimits)[end]);
      if (input.value === text && input.disabled === own) continue;
      if (input.getRootNode().activeElement === input && input.value) continue; // a person is typing
      input.value = text;
      input.style.width = `${text.length + 1.2}ch`;
      input.disabled = own;
    }
    const many = this.shareBeyond > MANY_BEYOND && !own;
    write(this.beyond, many ? `${Math.round(100 * this.shareBeyond)} % beyond · fit` : this.fits || own ? "" : "fit");
  }

  colourAt(value) {
    const [low, high] = this.limits;
    return clamp(Math.round((255 * (value - low)) / (high - low)), 0, 255);
  }

  // -- drawing -------------------------------------------------------------------------------------------

  resize() {
    const scale = window.devicePixelRatio || 1;
    this.shownWidth = this.frameNode.clientWidth; // asking for it makes the browser lay the page out
    const width = Math.max(1, Math.round(this.shownWidth * scale));
    const height = Math.max(1, Math.round(this.frameNode.clientHeight * scale));
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
  }

  draw(moment) {
    const { kind, onEarth } = this.player.view;
    this.show = this.shower(moment);
    this.missing = !this.hasValues(moment);
    style(this.empty, { display: this.missing ? "flex" : "none" });
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (this.missing) return;
    this.useLimits(moment);
    if (kind === "grid") this.drawGrid(moment);
    else this.drawParticles(moment);
    if (this.player.traces && this.traced) this.drawTraces(moment);
    if (onEarth) {
      this.drawGraticule();
      this.drawCoastlines();
    }
  }

  // What the map shows at a moment, as a function of the cell.
  shower(moment) {
    const shown = moment.shower(this.values);
    return this.divider ? this.divider.join(shown, moment.shower(this.swipe)) : shown;
  }

  hasValues(moment) {
    for (let cell = 0; cell < moment.cells; cell++) if (!Number.isNaN(this.show(cell))) return true;
    return false;
  }

  // The field in smooth colours, solid cells sharp over it.
  drawGrid(moment) {
    const { nearest, view } = this.player;
    const { show, colours, pixels } = this;
    const { solid } = view.arrays;
    const { nx, ny } = view;
    const [low, high] = this.limits;
    const scale = 255 / (high - low);
    let [counted, beyond] = [0, 0];
    for (let cell = 0; cell < moment.cells; cell++) {
      const at = (show(nearest[cell]) - low) * scale;
      if (!solid[cell] && at === at) {
        counted++;
        if (at < -0.5 || at > 255.5) beyond++;
      }
      const column = cell % nx;
      const pixel = (ny - 1 - (cell - column) / nx) * nx + column; // the first row lies at the bottom
      pixels[pixel] = at === at ? colours[at < 0 ? 0 : at > 255 ? 255 : Math.round(at)] : 0;
    }
    this.shareBeyond = counted ? beyond / counted : 0;
    this.smallContext.putImageData(this.image, 0, 0);
    this.drawImage(this.small, true);
    this.drawImage(this.solidImage, false);
  }

  drawImage(image, smooth) {
    const { view, viewport } = this.player;
    const { x, y, nx, ny } = view;
    const [perX, perY] = [nx / (x[1] - x[0]), ny / (y[1] - y[0])];
    const width = (viewport.x[1] - viewport.x[0]) * perX;
    const height = (viewport.y[1] - viewport.y[0]) * perY;
    const cellSize = this.shownWidth / width;
    this.context.imageSmoothingEnabled = smooth && cellSize < SHARP;
    const [left, top] = [(viewport.x[0] - x[0]) * perX, (y[1] - viewport.y[1]) * perY];
    this.context.drawImage(image, left, top, width, height, 0, 0, this.canvas.width, this.canvas.height);
  }

  drawGraticule() {
    const { width, height } = this.canvas;
    const { viewport } = this.player;
    this.context.lineWidth = window.devicePixelRatio || 1;
    this.context.strokeStyle = "rgba(20, 30, 40, 0.15)";
    this.context.beginPath();
    for (const value of this.player.xTicks) {
      const across = this.toCanvas(value, viewport.y[0])[0];
      this.context.moveTo(across, 0);
      this.context.lineTo(across, height);
    }
    for (const value of this.player.yTicks) {
      const along = this.toCanvas(viewport.x[0], value)[1];
      this.context.moveTo(0, along);
      this.context.lineTo(width, along);
    }
    this.context.stroke();
  }

  // Points are shares of 65535 of the whole map's width and height.
  drawCoastlines(ink = "#1d262d") {
    const { x, y, arrays } = this.player.view;
    const { coast, coastStarts } = arrays;
    this.context.lineWidth = 1.1 * (window.devicePixelRatio || 1);
    this.context.lineJoin = "round";
    this.context.strokeStyle = ink;
    this.context.beginPath();
    for (let line = 0; line + 1 < coastStarts.length; line++) {
      for (let point = coastStarts[line]; point < coastStarts[line + 1]; point++) {
        const [right, up] = [coast[2 * point] / 65535, coast[2 * point + 1] / 65535];
        const at = this.toCanvas(x[0] + right * (x[1] - x[0]), y[0] + up * (y[1] - y[0]));
        if (point === coastStarts[line]) this.context.moveTo(...at);
        else this.context.lineTo(...at);
      }
    }
    this.context.stroke();
  }

  drawParticles(moment) {
    const { view } = this.player;
    const { context } = this;
    const table = view.arrays[this.lut];
    const places = this.places(moment);
    const unit = this.unit;
    context.lineWidth = Math.max(1, 0.025 * unit);
    context.strokeStyle = "rgba(139, 148, 155, 0.55)";
    context.beginPath();
    for (let spring = 0; spring < view.arrays.springs.length; spring += 2) {
      context.moveTo(...places[view.arrays.springs[spring]]);
      context.lineTo(...places[view.arrays.springs[spring + 1]]);
    }
    context.stroke();
    context.strokeStyle = "rgba(70, 80, 88, 0.7)";
    let [counted, beyond] = [0, 0];
    for (let cell = 0; cell < places.length; cell++) {
      const value = this.show(cell);
      const colour = 3 * this.colourAt(value);
      if (!view.arrays.solid[cell]) {
        counted++;
        if (value < this.limits[0] || value > this.limits[1]) beyond++;
      }
      context.fillStyle = `rgb(${view.arrays.solid[cell] ? SOLID : table.subarray(colour, colour + 3)})`;
      context.beginPath();
      context.arc(...places[cell], this.radius(value) * unit, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    }
    this.shareBeyond = counted ? beyond / counted : 0;
  }

  drawTraces(moment) {
    const { context } = this;
    context.lineWidth = 1.2 * (window.devicePixelRatio || 1);
    context.lineCap = "round";
    context.strokeStyle = "rgba(255, 255, 255, 0.75)";
    context.beginPath();
    for (const path of this.player.traces.at(this.traced, moment)) {
      for (let point = 0; point < path.length; point += 2) {
        const at = this.toCanvas(path[point], path[point + 1]);
        if (point) context.lineTo(...at);
        else context.moveTo(...at);
      }
    }
    context.stroke();
  }

  // Uncertain particles are drawn larger, so that the spread reads without its colours.
  radius(value) {
    if (!this.grows) return 0.2;
    return 0.12 + 0.18 * clamp(value / this.limits[1], 0, 1);
  }

  // -- places --------------------------------------------------------------------------------------------

  // Canvas pixels per unit of the x axis.
  get unit() {
    const { x } = this.player.viewport;
    return this.canvas.width / (x[1] - x[0]);
  }

  toCanvas(px, py) {
    const { x, y } = this.player.viewport;
    return [
      ((px - x[0]) / (x[1] - x[0])) * this.canvas.width,
      ((y[1] - py) / (y[1] - y[0])) * this.canvas.height,
    ];
  }

  // Where all particles lie on the canvas.
  places(moment) {
    const [along, up] = this.positions.map((name) => moment.reader(name));
    return Array.from({ length: moment.cells }, (_, cell) => this.toCanvas(along(cell), up(cell)));
  }

  // Where a cell lies on the canvas: particles move, the cells of a grid do not.
  place(moment, cell) {
    const { kind, nx, x0, dx, y0, dy } = this.player.view;
    if (kind === "grid") return this.toCanvas(x0 + dx * (cell % nx), y0 + dy * Math.floor(cell / nx));
    const [along, up] = this.positions.map((name) => moment.reader(name));
    return this.toCanvas(along(cell), up(cell));
  }

  toPoint({ clientX, clientY }) {
    const { x, y } = this.player.viewport;
    const frame = this.frameNode.getBoundingClientRect();
    return {
      x: x[0] + ((clientX - frame.left) / frame.width) * (x[1] - x[0]),
      y: y[1] - ((clientY - frame.top) / frame.height) * (y[1] - y[0]),
    };
  }

  // The cell under a point: on a grid the nearest one, among particles the nearest within reach, else -1.
  cellAt({ x, y }, moment) {
    const { view } = this.player;
    if (view.kind === "grid") return this.player.gridCell(x, y);
    const [px, py] = this.toCanvas(x, y);
    let [best, least] = [-1, 0.5 * this.unit];
    for (const [cell, [cx, cy]] of this.places(moment).entries()) {
      const distance = Math.hypot(cx - px, cy - py);
      if (distance < least) [best, least] = [cell, distance];
    }
    return best;
  }

  // -- what is read --------------------------------------------------------------------------------------

  // The value under the pointer; without one that of the marked place.
  showValue(point, moment) {
    const shown = Boolean(point) && !this.missing;
    const [left, top] = shown ? this.percent(...this.toCanvas(point.x, point.y)) : [];
    style(this.along, { display: shown ? "block" : "none", left });
    style(this.across, { display: shown ? "block" : "none", top });
    if (shown !== this.hovers) this.value.classList.toggle("of-place", !shown);
    this.hovers = shown;
    write(this.value, this.missing ? "" : shown ? this.valueOfPoint(point, moment) : this.valueOfPlace(moment));
  }

  valueOfPoint(point, moment) {
    const cell = this.cellAt(point, moment);
    return cell < 0 ? "" : this.valueOfCell(cell, moment);
  }

  valueOfCell(cell, moment) {
    const { view } = this.player;
    if (view.kind === "grid" && view.arrays.solid[cell]) return view.solidName;
    const value = this.shower(moment)(cell);
    if (this.isEvent && !Number.isNaN(value)) return value > 50 ? "yes" : "no";
    return this.withUnits(value);
  }

  valueOfPlace(moment) {
    const { place } = this.player;
    if (place.cell !== undefined) return this.valueOfCell(place.cell, moment);
    let [sum, count] = [0, 0];
    const show = this.shower(moment);
    for (const cell of this.player.cellsInBox(place.box)) {
      const value = show(cell);
      if (Number.isNaN(value)) continue;
      const weight = this.player.weightOf(cell);
      sum += weight * value;
      count += weight;
    }
    return count ? `box mean ${this.withUnits(sum / count)}` : "";
  }

  withUnits(value) {
    return `${formatRounded(value, this.step)} ${this.units}`.trim();
  }

  percent(px, py) {
    return [`${(100 * px) / this.canvas.width}%`, `${(100 * py) / this.canvas.height}%`];
  }

  // Mark the place: a ring at a cell, or a box.
  mark(place, moment) {
    const isCell = place.cell !== undefined;
    style(this.pin, { display: isCell && !this.missing ? "block" : "none" });
    style(this.box, { display: isCell || this.missing ? "none" : "block" });
    if (this.missing) return;
    if (isCell) {
      const [left, top] = this.percent(...this.place(moment, place.cell));
      style(this.pin, { left, top });
      return;
    }
    const { x0, dx, y0, dy } = this.player.view;
    const [c0, r0, c1, r1] = place.box;
    this.outline([x0 + dx * (c0 - 0.5), y0 + dy * (r0 - 0.5)], [x0 + dx * (c1 + 0.5), y0 + dy * (r1 + 0.5)]);
  }

  // Lay the box over the part of the map between two corners.
  outline(one, other) {
    const [ax, ay] = this.toCanvas(...one);
    const [bx, by] = this.toCanvas(...other);
    const [left, top] = this.percent(Math.min(ax, bx), Math.min(ay, by));
    const [width, height] = this.percent(Math.abs(ax - bx), Math.abs(ay - by));
    style(this.box, { display: "block", left, top, width, height });
  }

  showTicks() {
    const { view, viewport, xTicks, yTicks } = this.player;
    this.ticks.replaceChildren();
    for (const value of xTicks) {
      const share = (value - viewport.x[0]) / (viewport.x[1] - viewport.x[0]);
      // on a narrow map the last ticks would run into the axes' name at the right end
      const late = view.axesLabel && share > 0.75 ? "tick x late" : "tick x";
      element("span", late, this.ticks, tickName(value, "x", view.onEarth)).style.left = `${100 * share}%`;
    }
    for (const value of yTicks) {
      const share = (value - viewport.y[0]) / (viewport.y[1] - viewport.y[0]);
      element("span", "tick y", this.ticks, tickName(value, "y", view.onEarth)).style.bottom = `${100 * share}%`;
    }
    element("span", "tick x name", this.ticks, view.axesLabel);
  }
}
