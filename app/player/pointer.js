// What fingers and mice do on a map: a click chooses a place, a drag a box; with Shift, or while "Move the map" is on,
// a drag moves the map; two fingers, or the wheel with Ctrl or ⌘, zoom.

const SLACK = 5; // screen pixels that a click may wander

class Pointer {
  constructor(map) {
    this.map = map;
    this.player = map.player;
    this.down = new Map(); // pointers that touch the map, by id
    const node = map.frameNode;
    node.addEventListener("pointerdown", (event) => this.press(event));
    node.addEventListener("pointermove", (event) => this.move(event));
    node.addEventListener("pointerup", (event) => this.release(event));
    node.addEventListener("pointercancel", (event) => this.forget(event));
    node.addEventListener("pointerleave", () => this.player.hover(null));
    node.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  press(event) {
    if (event.button !== 0) return;
    this.down.set(event.pointerId, event);
    event.currentTarget.setPointerCapture(event.pointerId);
    if (this.down.size > 1) return;
    this.start = event;
    this.wandered = false;
    this.pans = event.shiftKey || this.player.moves;
  }

  move(event) {
    const { player, map } = this;
    const before = this.down.get(event.pointerId);
    player.hover(map.toPoint(event));
    if (!before) return;
    if (this.down.size === 2) this.pinch(event);
    this.down.set(event.pointerId, event);
    if (this.down.size !== 1) return;
    this.wandered ||= Math.hypot(event.clientX - this.start.clientX, event.clientY - this.start.clientY) > SLACK;
    if (!this.wandered) return;
    const [from, to] = [map.toPoint(before), map.toPoint(event)];
    if (this.pans) player.pan(from.x - to.x, from.y - to.y);
    else player.outline(map.toPoint(this.start), to);
  }

  pinch(event) {
    const other = [...this.down.values()].find((each) => each.pointerId !== event.pointerId);
    const before = this.down.get(event.pointerId);
    const distance = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    const [from, to] = [this.map.toPoint(before), this.map.toPoint(event)];
    this.player.zoom(distance(before) / Math.max(distance(event), 1), this.map.toPoint(other));
    this.player.pan((from.x - to.x) / 2, (from.y - to.y) / 2);
    this.wandered = this.pans = true;
    this.player.dragged = null;
  }

  release(event) {
    const { player, map } = this;
    const isLast = this.down.size === 1 && this.down.has(event.pointerId);
    this.forget(event);
    if (!isLast) return;
    if (!this.wandered) player.choose({ cell: map.cellAt(map.toPoint(event), player.moment) });
    else if (!this.pans) player.chooseBox(map.toPoint(this.start), map.toPoint(event));
    player.settle();
  }

  forget(event) {
    this.down.delete(event.pointerId);
    this.player.dragged = null;
    this.player.draw();
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
    event.preventDefault();
    this.player.zoom(Math.exp(clamp(event.deltaY, -60, 60) / 150), this.map.toPoint(event));
    this.player.settle();
  }
}
