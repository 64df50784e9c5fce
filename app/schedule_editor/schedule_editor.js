// Two small drawings to pick from: the leads of a schedule as ticks, the measured ways to sample as dots.
// Both are listboxes: the item nearest to the pointer, or reached by the arrow keys, is highlighted and acted on.

const SEND_AFTER = 400; // ms, so that several clicks make one run of the page
const TOLERANCE = 24; // px outside the drawing where letting go still counts
const BESIDE = 12; // px by which the words of an item may stand out on either side
const HOW = { touch: "tap", keyboard: "space", mouse: "click", pen: "click" };

const drawings = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  let drawing = drawings.get(parentElement);
  if (!drawing) {
    drawing = new { schedule: Strip, front: Front }[data.kind](parentElement);
    drawings.set(parentElement, drawing);
  }
  drawing.send = (click) => setStateValue("click", click);
  drawing.receive(data);
  return () => drawing.rest();
}

const score = (number) => (number < 100 ? number.toPrecision(2) : number.toFixed(0));
const short = (number) => `${Number(number.toPrecision(4))}`;

// Items in a row, one of them highlighted. A subclass draws them and says what acting on one means.
class Picker {
  constructor(parent, className, label) {
    this.root = element("div", `picker ${className}`, parent);
    this.list = element("div", "items", this.root);
    this.list.tabIndex = 0;
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-orientation", "horizontal");
    this.list.setAttribute("aria-label", label);
    this.tip = element("div", "tip", this.root);
    this.live = element("div", "live", this.root);
    this.live.setAttribute("aria-live", "polite");
    this.tip.hidden = true;
    this.at = -1; // the highlighted item
    this.last = 0; // the one that was highlighted last
    this.clicks = 0;
    this.how = "mouse";
    this.listen();
    this.resizes = new ResizeObserver(() => this.layout());
  }

  listen() {
    const on = (name, action) => this.list.addEventListener(name, action);
    on("pointermove", (event) => this.point(event));
    on("pointerdown", (event) => {
      this.point(event);
      this.list.setPointerCapture(event.pointerId);
      this.pressed = true;
    });
    on("pointerup", (event) => {
      if (this.pressed && this.isNear(event)) this.act(this.at);
      this.pressed = false;
    });
    on("pointercancel", () => this.leave());
    on("pointerleave", ({ pointerType }) => {
      if (pointerType === "mouse") this.leave(); // a finger leaves after every tap
    });
    on("click", (event) => {
      // a screen reader's own click, which has no pointer
      if (event.detail === 0 && this.items.includes(event.target)) this.act(this.items.indexOf(event.target));
    });
    on("keydown", (event) => this.onKey(event));
    on("focus", () => {
      if (this.list.matches(":focus-visible")) this.reach(this.last);
    });
    on("blur", () => {
      this.highlight(-1);
      this.flush();
    });
  }

  // What Python says; an answer to an earlier click than the last one would undo what was clicked since.
  receive(data) {
    if (this.data?.name !== data.name) this.clicks = data.click;
    if (data.click < this.clicks) return;
    this.data = structuredClone(data); // a click changes it at once
    this.show();
    this.resizes.observe(this.root);
    this.layout();
    this.highlight(this.at < this.items.length ? this.at : -1);
  }

  rest() {
    this.resizes.disconnect();
  }

  // As many options as there are items, kept where they are so that the highlighted one stays.
  setItems(count, className) {
    this.items ??= [];
    while (this.items.length > count) this.items.pop().remove();
    while (this.items.length < count) {
      const item = element("div", className, this.list);
      item.id = `item-${this.items.length}`;
      item.setAttribute("role", "option");
      this.items.push(item);
    }
  }

  point(event) {
    this.how = event.pointerType;
    const box = this.list.getBoundingClientRect();
    this.highlight(this.nearest(event.clientX - box.left, event.clientY - box.top, box));
  }

  isNear({ clientX, clientY }) {
    const { left, right, top, bottom } = this.list.getBoundingClientRect();
    return (
      clientX > left - TOLERANCE &&
      clientX < right + TOLERANCE &&
      clientY > top - TOLERANCE &&
      clientY < bottom + TOLERANCE
    );
  }

  leave() {
    this.pressed = false;
    this.highlight(-1);
    this.flush();
  }

  // The item whose place, in shares of the drawing's width and height, is the nearest to a point in pixels.
  nearest(x, y, { width, height }) {
    const distances = this.places.map(([across, down]) => Math.hypot(across * width - x, (down ?? 0) * height - y));
    return distances.indexOf(Math.min(...distances));
  }

  reach(index) {
    this.how = "keyboard";
    this.highlight(clamp(index, 0, this.items.length - 1));
  }

  onKey(event) {
    const moves = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -Infinity, End: Infinity };
    const acts = event.key === " " || event.key === "Enter";
    if (event.key in moves) this.reach(this.last + moves[event.key]);
    else if (!acts) return;
    else if (this.at < 0) this.reach(this.last);
    else {
      this.how = "keyboard";
      this.act(this.at);
    }
    event.preventDefault();
    event.stopPropagation();
  }

  highlight(index) {
    this.items[this.at]?.classList.remove("at");
    this.at = index;
    this.tip.hidden = index < 0;
    if (index < 0) {
      this.list.removeAttribute("aria-activedescendant");
      return;
    }
    this.last = index;
    this.items[index].classList.add("at");
    this.list.setAttribute("aria-activedescendant", this.items[index].id);
    this.tell(this.wordsOf(index));
  }

  tell(words) {
    if (this.live.textContent !== words) this.live.textContent = words;
    this.tip.textContent = words;
    const { offsetWidth: width } = this.root;
    const middle = this.list.offsetLeft + this.places[this.at][0] * this.list.offsetWidth;
    const half = this.tip.offsetWidth / 2;
    this.tip.style.left = `${clamp(middle, half - BESIDE, width - half + BESIDE)}px`;
  }

  act(index) {
    if (index < 0 || !this.change(index)) return;
    this.clicks += 1;
    this.show();
    this.highlight(index);
    clearTimeout(this.timer);
    const [send, click] = [this.send, { number: this.clicks, ...this.outcome() }];
    this.flush = () => {
      clearTimeout(this.timer);
      this.flush = () => {};
      send(click);
    };
    this.timer = setTimeout(() => this.flush(), SEND_AFTER);
  }

  flush() {}
}

// The ticks of one window on the axis of lead time.
class Strip extends Picker {
  constructor(parent) {
    super(parent, "strip", "Leads at which the sampler stops: arrow keys move, space keeps or skips");
    this.list.setAttribute("aria-multiselectable", "true");
    const axis = element("div", "axis", this.root);
    element("span", "", axis, "0");
    this.end = element("span", "", axis);
  }

  show() {
    const { ticks, horizon, title } = this.data;
    this.end.textContent = title;
    this.places = ticks.map(({ lead }) => [lead / horizon]);
    this.setItems(ticks.length, "tick");
    for (const [index, { lead, on, whole }] of ticks.entries()) {
      const item = this.items[index];
      item.classList.toggle("on", on);
      item.classList.toggle("whole", whole);
      item.style.left = `${(100 * lead) / horizon}%`;
      item.setAttribute("aria-selected", on);
      item.setAttribute("aria-disabled", lead === 0);
      item.setAttribute("aria-label", `lead ${short(lead)}`);
    }
  }

  // Ticks as wide as the closest two of them allow; where they are thin, what is skipped is grey instead of hollow.
  layout() {
    const { ticks } = this.data;
    const [width, whole] = [ticks, ticks.filter((tick) => tick.whole)].map((some) => this.widthOf(some));
    this.root.style.setProperty("--tick", `${width}px`);
    this.root.style.setProperty("--whole", `${Math.min(whole, 2 * width)}px`);
    this.root.classList.toggle("dense", width < 4);
  }

  widthOf(ticks) {
    const { horizon } = this.data;
    const gaps = ticks.slice(1).map(({ lead }, index) => lead - ticks[index].lead);
    return clamp(Math.round((0.55 * Math.min(horizon, ...gaps) * this.list.clientWidth) / horizon), 1, 8);
  }

  nearest(x, _, { width }) {
    return super.nearest(x, 0, { width, height: 0 });
  }

  wordsOf(index) {
    const { lead, on, trained } = this.data.ticks[index];
    const name = `lead ${short(lead)}`;
    const how = HOW[this.how] ?? "click";
    if (lead === 0) return `${name}: every window starts here`;
    if (!on) return `${name}: skipped; ${how} to stop here`;
    return `${name}: the sampler stops here; ${how} to ${trained ? "skip" : "remove"}`;
  }

  change(index) {
    const tick = this.data.ticks[index];
    if (tick.lead === 0) return false;
    tick.on = !tick.on;
    return true;
  }

  outcome() {
    return { leads: this.data.ticks.filter(({ on }) => on).map(({ lead }) => lead) };
  }
}

// Places on an axis from 0 to 1, with logarithms where the values span much.
function scaleOf(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const bend = low > 0 && high > 3 * low ? Math.log : (value) => value;
  const span = bend(high) - bend(low) || 1;
  return { low, high, of: (value) => (bend(value) - bend(low)) / span };
}

// The measured ways to sample: CRPS upwards, network calls to the right.
class Front extends Picker {
  constructor(parent) {
    super(parent, "front", "Measured ways to sample: arrow keys move, space uses one");
    this.best = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.best.setAttribute("viewBox", "0 0 100 100");
    this.best.setAttribute("preserveAspectRatio", "none");
    this.line = this.best.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "polyline"));
    this.list.before(this.best);
    this.now = element("div", "now", this.list);
    this.now.setAttribute("aria-hidden", "true");
    const values = element("div", "values", this.root);
    [this.worst, , this.lowest] = ["", "CRPS", ""].map((text) => element("span", "", values, text));
    const axis = element("div", "axis", this.root);
    [this.least, , this.most] = ["", "network calls per window", ""].map((text) =>
      element("span", "", axis, text),
    );
  }

  show() {
    const { dots, calls } = this.data;
    const measured = dots.find(({ on }) => on);
    const x = scaleOf([...dots.map((dot) => dot.calls), measured ? measured.calls : calls]);
    const y = scaleOf(dots.map((dot) => dot.crps));
    this.places = dots.map((dot) => [x.of(dot.calls), 1 - y.of(dot.crps)]);
    this.setItems(dots.length, "dot");
    for (const [index, { on, best, words }] of dots.entries()) {
      const [item, [across, down]] = [this.items[index], this.places[index]];
      item.classList.toggle("on", on);
      item.classList.toggle("best", best);
      [item.style.left, item.style.top] = [`${100 * across}%`, `${100 * down}%`];
      item.setAttribute("aria-selected", on);
      item.setAttribute("aria-label", words);
    }
    const best = this.places.filter((_, index) => dots[index].best);
    best.push([1, best.at(-1)[1]]); // who has more time need do no worse
    this.line.setAttribute("points", best.map(([across, down]) => `${100 * across},${100 * down}`).join(" "));
    this.now.hidden = Boolean(measured);
    this.now.style.left = `${100 * x.of(calls)}%`;
    [this.least.textContent, this.most.textContent] = [short(x.low), short(x.high)];
    [this.worst.textContent, this.lowest.textContent] = [y.high, y.low].map(score);
  }

  layout() {}

  wordsOf(index) {
    const { words, on } = this.data.dots[index];
    return on ? words : `${words}; ${HOW[this.how] ?? "click"} to use it`;
  }

  change(index) {
    const { dots } = this.data;
    if (dots[index].on) return false;
    for (const [each, dot] of dots.entries()) dot.on = each === index;
    return true;
  }

  outcome() {
    return { pick: this.data.dots.findIndex(({ on }) => on) };
  }
}
