// Two fields on one map: left of a divider the one, right of it the other. A drag or the arrow keys move it.

class Divider {
  constructor(map) {
    this.map = map;
    this.node = element("div", "divider", map.frameNode);
    this.node.tabIndex = 0;
    this.node.setAttribute("role", "slider");
    this.node.setAttribute("aria-label", "Divider between the two forecasts");
    this.node.setAttribute("aria-valuemin", 0);
    this.node.setAttribute("aria-valuemax", 100);
    // a title such as "A | B" names both sides
    for (const [side, name] of map.title.split(" | ").entries()) element("span", side ? "side after" : "side", this.node, name);
    this.node.addEventListener("pointerdown", (event) => this.grab(event));
    this.node.addEventListener("pointermove", (event) => this.node.hasPointerCapture(event.pointerId) && this.drag(event));
    this.node.addEventListener("pointerup", (event) => event.stopPropagation());
    this.node.addEventListener("keydown", (event) => this.onKey(event));
    this.place();
  }

  // Share of the shown part's width that lies left of the divider.
  get share() {
    return this.map.player.known.divider ?? 0.5;
  }

  grab(event) {
    event.stopPropagation(); // else the map takes it for a place that is chosen
    event.preventDefault();
    this.node.focus();
    this.node.setPointerCapture(event.pointerId);
  }

  drag(event) {
    event.stopPropagation();
    const frame = this.map.frameNode.getBoundingClientRect();
    this.move((event.clientX - frame.left) / frame.width);
  }

  onKey(event) {
    const by = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
    if (!by) return;
    event.stopPropagation();
    event.preventDefault();
    this.move(this.share + by);
  }

  move(share) {
    this.map.player.remember({ divider: Math.round(1000 * clamp(share, 0, 1)) / 1000 });
    this.place();
    this.map.player.redraw();
    this.map.player.settleSoon();
  }

  place() {
    this.node.style.left = `${100 * this.share}%`;
    this.node.setAttribute("aria-valuenow", Math.round(100 * this.share));
  }

  // The value of a cell: that of the one field or of the other, as the cell lies.
  join(left, right) {
    const { x } = this.map.player.viewport;
    const { nx, x0, dx } = this.map.player.view;
    const last = (x[0] + this.share * (x[1] - x[0]) - x0) / dx;
    return (cell) => (cell % nx <= last ? left(cell) : right(cell));
  }
}
