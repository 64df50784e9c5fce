// A map of many lines over one another, each of a member, of the mean or of the truth: isolines of a field, or where
// the particles stand and the path of the marked one.

const REACH = 8; // screen pixels within which the pointer names a line
const DOT = 1.6; // screen pixels, radius of a particle of a thin strand

class StrandMap extends FieldMap {
  // What the colours mean instead of a colour bar.
  buildLegend() {
    const legend = element("div", "legend strands", this.root);
    this.ends = [];
    const kinds = new Map(this.strands.map((strand) => [strand.legend, strand]));
    for (const [name, { colour, width, opacity }] of kinds) {
      const entry = element("span", "strand", legend);
      const swatch = element("i", "swatch", entry);
      Object.assign(swatch.style, { borderTop: `${Math.max(1.5, width)}px solid ${colour || "currentColor"}`, opacity });
      element("span", "", entry, name);
    }
    this.words = [...legend.querySelectorAll("span > span")];
    this.swatches = [...legend.querySelectorAll(".swatch")];
  }

  // The legend on a picture, where it stands on the screen.
  drawLegend(context, at) {
    for (const swatch of this.swatches) {
      const [left, top, width, height] = at(swatch);
      const { borderTopColor, opacity } = getComputedStyle(swatch);
      Object.assign(context, { globalAlpha: Number(opacity), fillStyle: borderTopColor });
      context.fillRect(left, top, width, height);
    }
    context.globalAlpha = 1;
    context.fillStyle = this.ink;
  }

  showLimits() {}

  useLimits() {}

  // -- drawing -------------------------------------------------------------------------------------------

  get isPaths() {
    return this.player.view.kind !== "grid";
  }

  // The map itself is there also where no line is.
  hasValues() {
    return true;
  }

  draw(moment) {
    super.draw(moment);
    const { frameLines } = this.player.view.arrays;
    const isEmpty = !this.isPaths && frameLines[moment.frame] === frameLines[moment.frame + 1];
    style(this.empty, { display: isEmpty ? "flex" : "none" });
  }

  drawGrid({ frame }) {
    const { frameLines, lineStrands } = this.player.view.arrays;
    this.drawImage(this.solidImage, false);
    for (const isTop of [false, true]) {
      for (let line = frameLines[frame]; line < frameLines[frame + 1]; line++) {
        const strand = this.strands[lineStrands[line]];
        if (strand.isTop === isTop) this.drawLine(this.pointsOf(line), strand);
      }
    }
  }

  // The points of an isoline on the canvas, x and y in turn.
  pointsOf(line) {
    const { view, viewport } = this.player;
    const { lines, lineStarts } = view.arrays;
    const [perX, perY] = [this.canvas.width / (viewport.x[1] - viewport.x[0]), this.canvas.height / (viewport.y[1] - viewport.y[0])];
    const [stepX, stepY] = [(view.x[1] - view.x[0]) / 65535, (view.y[1] - view.y[0]) / 65535];
    const points = new Float32Array(2 * (lineStarts[line + 1] - lineStarts[line]));
    for (let at = 0, code = 2 * lineStarts[line]; at < points.length; at += 2, code += 2) {
      points[at] = (view.x[0] + lines[code] * stepX - viewport.x[0]) * perX;
      points[at + 1] = (viewport.y[1] - view.y[0] - lines[code + 1] * stepY) * perY;
    }
    return points;
  }

  drawLine(points, strand) {
    const { context } = this;
    this.take(strand);
    context.beginPath();
    for (let at = 0; at < points.length; at += 2) {
      if (at) context.lineTo(points[at], points[at + 1]);
      else context.moveTo(points[at], points[at + 1]);
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  take({ colour, width, opacity }) {
    const { context } = this;
    context.strokeStyle = context.fillStyle = colour || this.ink;
    context.lineWidth = width * (window.devicePixelRatio || 1);
    context.lineJoin = context.lineCap = "round";
    context.globalAlpha = opacity;
  }

  // The colour of the text, which is another in the dark.
  get ink() {
    return getComputedStyle(this.player.root).color;
  }

  drawParticles(moment) {
    const { cell } = this.player.place;
    this.drawSprings(this.places(moment));
    const strands = [...this.strands].sort((one, other) => one.isTop - other.isTop);
    for (const strand of strands) this.drawDots(this.placesOf(strand, moment), strand);
    if (cell === undefined) return; // a box has no path
    for (const strand of strands) this.drawLine(this.pathOf(strand, cell, moment.frame), strand);
  }

  // The springs of the mean, as a ground to see the others against.
  drawSprings(places) {
    const { context } = this;
    const { springs } = this.player.view.arrays;
    this.take({ colour: "#8b949b", width: 0.8, opacity: 0.35 });
    context.beginPath();
    for (let spring = 0; spring < springs.length; spring += 2) {
      context.moveTo(...places[springs[spring]]);
      context.lineTo(...places[springs[spring + 1]]);
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  drawDots(points, strand) {
    const { context } = this;
    const { solid } = this.player.view.arrays;
    const radius = DOT * (window.devicePixelRatio || 1) * (strand.width > 1 ? 2 : 1);
    this.take(strand);
    context.beginPath();
    for (let cell = 0; cell < points.length / 2; cell++) {
      if (solid[cell]) continue;
      const [x, y] = [points[2 * cell], points[2 * cell + 1]];
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 2 * Math.PI);
    }
    context.fill();
    context.globalAlpha = 1;
  }

  // Where all particles lie on the canvas, x and y in turn.
  placesOf({ positions }, moment) {
    const [along, up] = positions.map((name) => moment.reader(name));
    const points = new Float32Array(2 * moment.cells);
    for (let cell = 0; cell < moment.cells; cell++) points.set(this.toCanvas(along(cell), up(cell)), 2 * cell);
    return points;
  }

  // Where a particle was from the start to a frame, as far as it is known.
  pathOf({ positions }, cell, last) {
    const path = [];
    for (let frame = 0; frame <= last; frame++) {
      const moment = new Moment(this.player.view, frame, false);
      const at = this.toCanvas(...positions.map((name) => moment.reader(name)(cell)));
      if (!at.some(Number.isNaN)) path.push(...at);
    }
    return path;
  }

  drawCoastlines() {
    this.context.globalAlpha = 0.6;
    super.drawCoastlines(this.ink);
    this.context.globalAlpha = 1;
  }

  // -- what is read --------------------------------------------------------------------------------------

  // Whose line is under the pointer, and the mean there.
  valueOfPoint(point, moment) {
    const strand = this.strandAt(this.toCanvas(point.x, point.y), moment);
    return [strand?.name, ofMean(super.valueOfPoint(point, moment))].filter(Boolean).join(" · ");
  }

  valueOfPlace(moment) {
    return ofMean(super.valueOfPlace(moment));
  }

  // The strand nearest to a point of the canvas, the upper one of two; none where none is near.
  strandAt([px, py], moment) {
    let [best, least] = [null, REACH * (window.devicePixelRatio || 1)];
    for (const [strand, points] of this.drawn(moment)) {
      const away = distanceTo(points, px, py, !this.isPaths);
      if (away <= least) [best, least] = [strand, away];
    }
    return best;
  }

  // What is drawn at a moment, as the strand and its points.
  *drawn(moment) {
    if (this.isPaths) {
      for (const strand of this.strands) yield [strand, this.placesOf(strand, moment)];
      return;
    }
    const { frameLines, lineStrands } = this.player.view.arrays;
    for (let line = frameLines[moment.frame]; line < frameLines[moment.frame + 1]; line++) {
      yield [this.strands[lineStrands[line]], this.pointsOf(line)];
    }
  }
}

// A number that is one of the mean says so; words, such as "land", do not.
function ofMean(text) {
  return /^[−\d]/.test(text) ? `mean ${text}` : text;
}

// The distance of a place from the nearest of some points, x and y in turn, or from the line through them.
function distanceTo(points, px, py, isLine) {
  let least = Infinity;
  for (let at = 0; at < points.length; at += 2) {
    const [x, y] = [points[at], points[at + 1]];
    const [ax, ay] = isLine && at ? [points[at - 2], points[at - 1]] : [x, y];
    const [dx, dy] = [x - ax, y - ay];
    const share = dx || dy ? clamp(((px - ax) * dx + (py - ay) * dy) / (dx * dx + dy * dy), 0, 1) : 0;
    least = Math.min(least, Math.hypot(px - ax - share * dx, py - ay - share * dy));
  }
  return least;
}
