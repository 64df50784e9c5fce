// Synchronised maps: time, the part of the map that is shown, and the place that is marked are one for all.

const SPEEDS = [0.25, 0.5, 1, 2, 4];
const DEEPEST = 0.02; // of the map's width: as far as one can zoom in
const ZOOM = 1.5; // of one press
const TICKS = 6; // intervals between the numbers along an axis, at most
const ICONS = {
  play: "M4 2l10 6-10 6z",
  pause: "M4 2h3v12H4zM9 2h3v12H9z",
  back: "M12 2L4 8l8 6zM3 2h2v12H3z",
  next: "M4 2l8 6-8 6zM11 2h2v12h-2z",
  loop: "M3 8a5 5 0 0 1 8.6-3.5H9.5V6H14V1.5h-1.5v1.9A6.5 6.5 0 1 0 14.4 9h-1.5A5 5 0 1 1 3 8z",
  closer: "M7 3h2v4h4v2H9v4H7V9H3V7h4z",
  wider: "M3 7h10v2H3z",
  whole: "M2 2h5v2H4v3H2zM9 2h5v5h-2V4H9zM2 9h2v3h3v2H2zM12 9h2v5H9v-2h3z",
  move: "M8 1l2.5 3H9v3h3V5.5L15 8l-3 2.5V9H9v3h1.5L8 15l-2.5-3H7V9H4v1.5L1 8l3-2.5V7h3V4H5.5z",
  colours: "M2 3h12v2.5H2zM2 6.8h12v2.5H2zM2 10.5h12V13H2z",
  traces: "M1 5c3-3 5 3 8 0s4-1 6-2v2c-2 1-3-1-6 2s-5-3-8 0zM1 11c3-3 5 3 8 0s4-1 6-2v2c-2 1-3-1-6 2s-5-3-8 0z",
  pin: "M6 1h4l-.7 5L12 8.5V10H8.7v5H7.3v-5H4V8.5L6.7 6z",
  picture: "M7 2h2v6h3l-4 4-4-4h3zM2 12h2v1.5h8V12h2v3H2z",
  link: "M6.5 5H4a3 3 0 0 0 0 6h2.5V9.5H4a1.5 1.5 0 0 1 0-3h2.5zM9.5 5H12a3 3 0 0 1 0 6H9.5V9.5H12a1.5 1.5 0 0 0 0-3H9.5zM5 7.3h6v1.4H5z",
  help: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zm0 2.8c1.7 0 2.7 1 2.7 2.3 0 1.8-1.9 1.8-1.9 3.2H7.2c0-2.2 1.8-2.1 1.8-3.2 0-.5-.4-.8-1-.8s-1.1.4-1.2 1.1l-1.6-.3C5.5 4.6 6.5 3.8 8 3.8zM7.1 10.3h1.8V12H7.1z",
};
const SPARING = 30; // ms from frame to frame where values are coarse: of members that arrive, or of very many maps
const KEYS = [
  ["Space", "play or pause"],
  ["← →", "one lead back or on"],
  ["[ ]", "slower or faster"],
  ["+ − 0", "closer, wider, the whole map"],
  ["c", "colours: fixed for all leads, or fitted to each map and lead"],
  ["s", "save a picture of the maps"],
  ["click", "the curves of a place"],
  ["drag", "the curves of a box"],
  ["Shift + drag", "move a map that is zoomed in"],
  ["Ctrl + wheel", "zoom; on a touch screen with two fingers"],
];

const players = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  let player = players.get(parentElement);
  if (!player) {
    player = new Player(parentElement);
    players.set(parentElement, player);
  }
  player.tell = setTriggerValue;
  player.show(decode(data));
  return () => player.rest();
}

class Player {
  constructor(parent) {
    this.root = element("div", "player", parent);
    this.root.tabIndex = 0;
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", "Animated maps: space plays, arrow keys step, ? lists all keys");
    this.maps = element("div", "maps", this.root);
    this.legends = element("div", "legends", this.root);
    this.drawn = 0;
    this.charts = new Charts((frame) => this.halt(frame));
    this.buildBar();
    this.resizes = new ResizeObserver(() => this.layout());
    this.listeners = [
      [document, "keydown", (event) => this.onKey(event)],
      [window.navigation, "currententrychange", () => this.writeLink()], // Streamlit wrote the link and dropped our part
    ].filter(([target]) => target);
  }

  buildBar() {
    const bar = element("div", "bar", this.root);
    this.button(bar, "back", "One frame back (←)", () => this.step(-1));
    this.toggle = this.button(bar, "play", "Play (space)", () => this.setPlaying(!this.playing));
    this.button(bar, "next", "One frame on (→)", () => this.step(1));
    this.rate = element("select", "speed", bar);
    this.rate.title = "Speed of the animation ([ and ])";
    this.rate.setAttribute("aria-label", "Speed of the animation");
    for (const speed of SPEEDS) this.rate.append(new Option(`${speed}×`, speed));
    this.rate.addEventListener("change", () => this.remember({ speed: Number(this.rate.value) }));
    this.again = this.button(bar, "loop", "Repeat", () => this.remember({ loop: !this.known.loop }));
    this.scrub = element("input", "scrub", bar);
    this.scrub.type = "range";
    this.scrub.setAttribute("aria-label", "Lead time");
    this.scrub.addEventListener("input", () => this.halt(Number(this.scrub.value)));
    this.scrub.addEventListener("change", () => this.settle());
    const clock = element("div", "clock", bar);
    [this.clockBefore, this.clockLead, this.clockAfter] = ["span", "b", "span"].map((tag) => element(tag, "", clock));
    this.clock = clock;
    this.buildTools(element("div", "tools", bar));
    this.help = element("dl", "keys", this.root);
    this.help.hidden = true;
    for (const [key, words] of KEYS) {
      element("dt", "", this.help, key);
      element("dd", "", this.help, words);
    }
    this.said = element("div", "said", this.root);
    this.said.setAttribute("aria-live", "polite");
  }

  buildTools(tools) {
    this.button(tools, "closer", "Zoom in (+)", () => this.zoomBy(1 / ZOOM));
    this.button(tools, "wider", "Zoom out (−)", () => this.zoomBy(ZOOM));
    this.whole = this.button(tools, "whole", "The whole map (0)", () => this.showWhole());
    this.mover = this.button(tools, "move", "Move the map by dragging (or Shift + drag)", () => this.toggleMoves());
    this.fitter = this.button(tools, "colours", "Colours fitted to each map and lead (c)", () => this.toggleColours());
    this.tracer = this.button(tools, "traces", "Paths of drifting particles", () => this.toggleTraces());
    this.button(tools, "picture", "Save a picture of the maps (s)", () => savePicture(this));
    this.button(tools, "link", "Copy the link to this view", () => this.copyLink());
    this.helper = this.button(tools, "help", "Keys (?)", () => this.toggleHelp());
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

  // -- new data ------------------------------------------------------------------------------------------

  // Another forecast, more members or another variable: time, viewport and speed stay as they were.
  show(view) {
    const isMore = this.view?.forecast === view.forecast && this.view.variable === view.variable && hasSameMaps(this.view, view);
    const isOther = this.view?.dataset !== view.dataset || (view.scene && view.scene !== this.view.scene);
    const before = this.view;
    this.view = view;
    this.toldLead = view.tellsLead;
    this.path = location.pathname;
    this.known = recall(view);
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    const isElsewhere = before && String([before.x, before.y]) !== String([view.x, view.y]);
    if (isOther) this.pick(view, calm);
    else if (isElsewhere) this.viewport = partOf(view, this.known.viewport);
    this.position = clamp(this.position, 0, view.leads.length - 1);
    this.place = view.place;
    this.dragged = null;
    this.traces = view.hasTraces ? new Traces(view) : null;
    this.listen();
    if (isMore) this.updateMaps();
    else this.buildMaps();
    this.scrub.max = view.leads.length - 1;
    this.wordsOf = -1;
    const { forecast, variable, leads, onEarth, arrays } = view;
    const coastlines = onEarth ? arrays.coastStarts.length - 1 : 0;
    Object.assign(this.root.dataset, { forecast, variable, frames: leads.length, coastlines });
    this.tracer.hidden = !view.canTrace;
    this.remember({});
    this.layout();
    this.setPlaying(this.playing);
  }

  // Begin where this data set was left, or at its start.
  pick(view, calm) {
    this.position = this.known.position ?? (calm ? view.leads.length - 1 : 0);
    this.playing = this.known.playing ?? !calm;
    this.viewport = partOf(view, this.known.viewport);
    this.known = Object.assign(this.known, { speed: this.known.speed ?? 1, loop: this.known.loop ?? true });
  }

  listen() {
    this.resizes.observe(this.root);
    clearInterval(this.looking);
    this.looking = setInterval(() => this.followCharts(), 300);
    for (const [target, event, action] of this.listeners) target.addEventListener(event, action);
  }

  followCharts() {
    this.charts.look();
    this.charts.move(this.frame);
  }

  rest() {
    cancelAnimationFrame(this.pending);
    clearInterval(this.looking);
    clearTimeout(this.settling);
    this.resizes.disconnect();
    for (const [target, event, action] of this.listeners) target.removeEventListener(event, action);
  }

  // More of the same forecast: the maps stay, what they show is new.
  updateMaps() {
    for (const map of this.panels) map.update(this.view.panels.find((panel) => panel.id === map.id));
  }

  buildMaps() {
    this.nearest = this.view.kind === "grid" ? nearestFree(this.view) : null;
    for (const map of this.panels ?? []) map.free();
    this.maps.replaceChildren();
    this.legends.replaceChildren();
    this.root.classList.toggle("compact", this.view.compact);
    const { maps } = this.known;
    const shown = this.view.panels.filter((panel) => !maps || maps.includes(panel.id));
    const panels = shown.length ? shown : this.view.panels;
    this.isSolo = panels.length < this.view.panels.length;
    this.panels = panels.map((panel) => new (panel.strands.length ? StrandMap : FieldMap)(this, panel));
    this.wordsOf = -1;
    for (const panel of this.panels) panel.name.title = this.isSolo ? "Show all maps" : "Show this map alone";
  }

  // Where the colour bar of a map stands: below it, or of small maps one for all of a group.
  legendPlace(map) {
    if (!this.view.compact) return map.root;
    const isFirst = this.view.panels.find((panel) => panel.group === map.group).id === map.id;
    return isFirst || this.isSolo ? this.legends : null;
  }

  remember(news) {
    Object.assign(this.known, news);
    const { speed, loop, ownColours } = this.known;
    this.rate.value = speed;
    this.again.setAttribute("aria-pressed", loop);
    this.fitter.setAttribute("aria-pressed", Boolean(ownColours));
    this.tracer.setAttribute("aria-pressed", Boolean(this.traces));
    this.mover.setAttribute("aria-pressed", Boolean(this.moves));
  }

  layout() {
    const width = this.root.clientWidth;
    if (!width || !this.view) return;
    const { aspect } = this.view;
    const count = this.panels.length;
    const columns = Math.min(this.columns(width, aspect), count);
    this.root.style.setProperty("--columns", columns);
    this.root.classList.toggle("narrow", this.view.compact && width / columns < 232);
    // one map alone is no higher than the window
    const tallest = 0.7 * window.innerHeight * aspect;
    this.maps.style.maxWidth = count === 1 ? `${Math.max(280, Math.min(width, tallest))}px` : "";
    for (const panel of this.panels) panel.resize();
    this.showPart();
  }

  columns(width, aspect) {
    if (this.view.compact) return Math.max(1, Math.floor(width / (aspect > 1.6 && width > 480 ? 232 : 168)));
    return aspect > 1.6 ? (width < 720 ? 1 : 2) : width < 340 ? 1 : width < 880 ? 2 : 4;
  }

  // -- time ----------------------------------------------------------------------------------------------

  get frame() {
    return clamp(Math.floor(this.position + 1e-9), 0, this.view.leads.length - 1);
  }

  // Stop at a frame.
  halt(frame) {
    this.position = clamp(frame, 0, this.view.leads.length - 1);
    this.setPlaying(false);
  }

  step(by) {
    this.halt(this.frame + by);
  }

  setPlaying(playing) {
    if (this.playing && !playing) this.position = this.frame;
    this.playing = playing;
    this.root.dataset.playing = playing;
    setIcon(this.toggle, playing ? "pause" : "play");
    this.toggle.title = playing ? "Pause (space)" : "Play (space)";
    this.toggle.setAttribute("aria-label", this.toggle.title);
    cancelAnimationFrame(this.pending);
    this.settleSoon();
    if (!playing) {
      this.draw();
      return;
    }
    if (this.position >= this.view.leads.length - 1) this.position = 0;
    this.before = undefined;
    this.pending = requestAnimationFrame((now) => this.tick(now));
  }

  tick(now) {
    if (this.view.coarse && now - this.before < SPARING) {
      this.pending = requestAnimationFrame((later) => this.tick(later));
      return;
    }
    const count = this.view.leads.length;
    const elapsed = this.before === undefined ? 0 : Math.min(250, now - this.before) / 1000;
    this.before = now;
    this.position += (elapsed * this.known.speed * count) / this.view.seconds;
    if (this.position >= count) {
      if (!this.known.loop) {
        this.halt(count - 1);
        return;
      }
      this.position %= count;
    }
    this.draw();
    this.pending = requestAnimationFrame((later) => this.tick(later));
  }

  changeSpeed(by) {
    const at = clamp(SPEEDS.indexOf(this.known.speed) + by, 0, SPEEDS.length - 1);
    this.remember({ speed: SPEEDS[at] });
  }

  onKey(event) {
    const target = event.composedPath()[0];
    const isOurs = event.composedPath().includes(this.root);
    if ((!isOurs && target !== document.body) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.tagName === "INPUT" && target !== this.scrub) return;
    const action = this.actionOf(event.key, target);
    if (!action) return;
    action();
    event.preventDefault();
    event.stopPropagation();
  }

  actionOf(key, target) {
    const actions = {
      "[": () => this.changeSpeed(-1),
      "]": () => this.changeSpeed(1),
      "+": () => this.zoomBy(1 / ZOOM),
      "-": () => this.zoomBy(ZOOM),
      0: () => this.showWhole(),
      c: () => this.toggleColours(),
      s: () => savePicture(this),
      "?": () => this.toggleHelp(),
    };
    if (target.tagName !== "BUTTON") actions[" "] = () => this.setPlaying(!this.playing);
    if (!["SELECT", "INPUT"].includes(target.tagName)) {
      actions.ArrowLeft = () => this.step(-1);
      actions.ArrowRight = () => this.step(1);
    }
    return actions[key];
  }

  // -- drawing -------------------------------------------------------------------------------------------

  draw() {
    const moment = new Moment(this.view, this.position, this.playing && this.view.blends);
    this.moment = moment;
    for (const panel of this.panels) {
      panel.draw(moment);
      panel.mark(this.place, moment);
      if (this.dragged) panel.outline(...this.dragged);
    }
    this.charts.follow(moment.frame);
    this.root.framesDrawn = ++this.drawn;
    if (this.drawn < 3) performance.mark(`coldcast:frame-${this.drawn}`);
    if (this.view.waits && (this.drawn > 1 || !this.playing)) this.greet();
    this.showWords(moment);
  }

  // Maps are on the screen: Python may send the charts.
  greet() {
    this.view.waits = false;
    setTimeout(() => this.tell("drawn", true));
  }

  // Draw with new numbers, though the lead is the same.
  redraw() {
    this.wordsOf = -1;
    this.draw();
  }

  // Words and numbers are those of the lead itself, also on the way to the next.
  showWords({ frame }) {
    if (this.wordsOf !== frame) {
      const [lead, last, at] = this.clockText(frame);
      write(this.clockBefore, "lead ");
      write(this.clockLead, lead);
      write(this.clockAfter, ` / ${last}${at}`);
      this.scrub.value = frame;
      this.scrub.setAttribute("aria-valuetext", `lead ${lead}${at}`);
      this.root.dataset.frame = this.wordsOf = frame;
      this.showValues();
    }
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
    const lead = new Moment(this.view, this.frame, false);
    for (const panel of this.panels) {
      panel.showValue(this.point, lead);
      panel.showLimits();
    }
  }

  // -- the part of the map -------------------------------------------------------------------------------

  get isWhole() {
    const { view, viewport } = this;
    return viewport.x[1] - viewport.x[0] > 0.9999 * (view.x[1] - view.x[0]);
  }

  // Make the shown part `factor` times as wide about a point; never wider than the map.
  zoom(factor, { x, y }) {
    const { view, viewport } = this;
    const whole = view.x[1] - view.x[0];
    const width = viewport.x[1] - viewport.x[0];
    const scale = clamp(width * factor, DEEPEST * whole, whole) / width;
    viewport.x = viewport.x.map((side) => x + scale * (side - x));
    viewport.y = viewport.y.map((side) => y + scale * (side - y));
    this.pan(0, 0);
  }

  zoomBy(factor) {
    const { x, y } = this.viewport;
    this.zoom(factor, { x: (x[0] + x[1]) / 2, y: (y[0] + y[1]) / 2 });
    this.settle();
  }

  showWhole() {
    this.viewport = { x: [...this.view.x], y: [...this.view.y] };
    this.showPart();
    this.settle();
  }

  // Move the shown part, within the map.
  pan(dx, dy) {
    for (const [axis, by] of [["x", dx], ["y", dy]]) {
      const [low, high] = this.viewport[axis];
      const [first, last] = this.view[axis];
      const shift = clamp(by, first - low, Math.max(first - low, last - high));
      this.viewport[axis] = [low + shift, high + shift];
    }
    this.showPart();
  }

  showPart() {
    const { x, y } = this.viewport;
    const { onEarth, aspect } = this.view;
    this.xTicks = ticksBetween(...x, TICKS, onEarth);
    this.yTicks = ticksBetween(...y, aspect > 3 ? 3 : TICKS, onEarth);
    for (const panel of this.panels) panel.showTicks();
    this.whole.disabled = this.isWhole;
    this.draw();
  }

  // -- the place looked at -------------------------------------------------------------------------------

  gridCell(px, py) {
    const { x0, dx, y0, dy, nx, ny } = this.view;
    const column = clamp(Math.round((px - x0) / dx), 0, nx - 1);
    const row = clamp(Math.round((py - y0) / dy), 0, ny - 1);
    return row * nx + column;
  }

  *cellsInBox([c0, r0, c1, r1]) {
    for (let row = r0; row <= r1; row++) {
      for (let column = c0; column <= c1; column++) {
        const cell = row * this.view.nx + column;
        if (!this.view.arrays.solid[cell]) yield cell;
      }
    }
  }

  // On Earth, cells count by their area.
  weightOf(cell) {
    const { onEarth, y0, dy, nx } = this.view;
    return onEarth ? Math.cos(((y0 + dy * Math.floor(cell / nx)) * Math.PI) / 180) : 1;
  }

  outline(from, to) {
    this.dragged = [[from.x, from.y], [to.x, to.y]];
    for (const panel of this.panels) panel.outline(...this.dragged);
  }

  chooseBox(from, to) {
    const { nx } = this.view;
    const [one, other] = [this.gridCell(from.x, from.y), this.gridCell(to.x, to.y)];
    const columns = [one % nx, other % nx].sort((a, b) => a - b);
    const rows = [Math.floor(one / nx), Math.floor(other / nx)].sort((a, b) => a - b);
    this.dragged = null;
    this.choose({ box: [columns[0], rows[0], columns[1], rows[1]] });
  }

  // A place for the charts below; obstacles and held particles have nothing to tell.
  choose(place) {
    const isFree = place.box ? !this.cellsInBox(place.box).next().done : place.cell >= 0 && !this.view.arrays.solid[place.cell];
    if (isFree) {
      this.place = place;
      this.tell("place", place);
    }
    this.redraw();
  }

  // -- choices -------------------------------------------------------------------------------------------

  toggleSolo(id) {
    const isSolo = this.panels.length === 1 && this.view.panels.length > 1;
    this.remember({ maps: isSolo ? undefined : [id] });
    this.buildMaps();
    this.layout();
    this.settle();
  }

  toggleColours() {
    this.remember({ ownColours: !this.known.ownColours });
    this.redraw();
    this.settle();
  }

  changeLimits(group, limits) {
    for (const panel of this.panels) if (panel.group === group) panel.fixedLimits = limits;
    this.redraw();
    this.tell("limits", { group, limits });
  }

  fitColours() {
    this.tell("limits", { fit: true });
  }

  toggleMoves() {
    this.moves = !this.moves;
    this.root.classList.toggle("moves", this.moves);
    this.remember({});
  }

  toggleTraces() {
    this.tell("traces", { on: !this.view.hasTraces });
  }

  toggleHelp() {
    this.help.hidden = !this.help.hidden;
    this.helper.setAttribute("aria-pressed", !this.help.hidden);
  }

  // -- the link ------------------------------------------------------------------------------------------

  settleSoon() {
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.settle(), 250);
  }

  // Remember what is shown once it does not change from frame to frame.
  settle() {
    const { position, playing, viewport, isWhole } = this;
    this.remember({ position, playing, viewport: isWhole ? undefined : viewport });
    this.writeLink();
    if (!playing) this.tellLead();
  }

  // Charts of a single lead are Python's: it hears where the time rests, on the pages that have such.
  tellLead() {
    if (this.toldLead === null || this.toldLead === this.frame) return;
    this.toldLead = this.frame;
    this.tell("lead", { frame: this.frame });
  }

  writeLink() {
    if (this.root.isConnected && location.pathname === this.path) writeLink(this); // not into another page's
  }

  copyLink() {
    this.settle();
    const link = location.href;
    const shown = () => this.say(`The link: ${link}`);
    if (!navigator.clipboard) shown();
    else navigator.clipboard.writeText(link).then(() => this.say("The link to this view is copied."), shown);
  }

  say(words) {
    this.said.textContent = words;
    clearTimeout(this.silence);
    this.silence = setTimeout(() => (this.said.textContent = ""), 8000);
  }
}

// Whether two views have the same maps in the same order; what these show may differ.
function hasSameMaps(one, other) {
  const look = ({ panels, compact }) => JSON.stringify([compact, panels.map(({ id, title, note, lut, swipe, pinned, strands }) => [id, title, note, lut, swipe, pinned, strands])]);
  return look(one) === look(other);
}

function setIcon(button, name) {
  button.innerHTML =
    `<svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true"><path fill="currentColor" d="${ICONS[name]}"/></svg>`;
}
