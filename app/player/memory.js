// What the maps show that Python need not know: the moment, the part of the map, which maps, speed. It outlives new
// data and other pages, and stands behind the # of the link; the server never sees it.

// Streamlit may have written the link anew, without our part, before this script was loaded: what was opened is known.
const opened = performance.getEntriesByType("navigation")[0]?.name ?? location.href;
const memory = (window.coldcastPlayer ??= {
  datasets: {},
  link: new URLSearchParams((location.hash || new URL(opened).hash).slice(1)),
});

// What is remembered of a data set; the link speaks for the first data set that is shown, a scene for itself.
function recall(view) {
  let { link } = memory;
  memory.link = null;
  if (view.scene !== (memory.scene ?? "") && view.scene) {
    if (!link?.size) link = new URLSearchParams(view.begin);
    memory.datasets[view.dataset] = {};
  }
  memory.scene = view.scene;
  const known = (memory.datasets[view.dataset] ??= {});
  if (!link) return known;
  const lead = Number(link.get("lead") ?? NaN);
  const away = view.leads.map((each) => Math.abs(each - lead));
  if (link.has("lead") && !Number.isNaN(lead)) Object.assign(known, { position: away.indexOf(Math.min(...away)), playing: false });
  const sides = (link.get("view") ?? "").split(",").map(Number);
  if (sides.length === 4 && sides.every(Number.isFinite)) known.viewport = { x: sides.slice(0, 2), y: sides.slice(2) };
  const maps = mapsOf(view, (link.get("maps") ?? "").split(","));
  if (maps.length) known.maps = maps;
  if (link.get("colours") === "own") known.ownColours = true;
  const divider = Number(link.get("divider") ?? NaN);
  if (divider >= 0 && divider <= 1) known.divider = divider;
  return known;
}

// Those of some maps that a view has: other pages have others.
function mapsOf(view, ids) {
  return ids.filter((id) => view.panels.some((panel) => panel.id === id));
}

// Write into the link what differs from how the maps begin. Nothing is asked of the server.
function writeLink({ view, known, position, playing, viewport, isWhole }) {
  const parts = [];
  if (!playing) parts.push(`lead=${Number(view.leads[Math.round(position)].toPrecision(6))}`);
  if (!isWhole) parts.push(`view=${[...viewport.x, ...viewport.y].map((each) => Number(each.toPrecision(5))).join(",")}`);
  const maps = mapsOf(view, known.maps ?? []);
  if (maps.length && maps.length < view.panels.length) parts.push(`maps=${maps.join(",")}`);
  if (known.ownColours) parts.push("colours=own");
  if (known.divider !== undefined && view.panels.some((panel) => panel.swipe.length)) parts.push(`divider=${known.divider}`);
  const hash = parts.length ? `#${parts.join("&")}` : "";
  if (location.hash === hash) return;
  history.replaceState(history.state, "", location.pathname + location.search + hash);
}

// The part of a map that is remembered or linked, as far as it is one: within the map and of its shape.
function partOf(view, part) {
  const whole = { x: [...view.x], y: [...view.y] };
  const [width, height] = [view.x[1] - view.x[0], view.y[1] - view.y[0]];
  const isOne = part && part.x[0] < part.x[1] && part.x[0] >= view.x[0] - 0.01 * width && part.x[1] <= view.x[1] + 0.01 * width;
  if (!isOne || part.x[1] - part.x[0] < 0.9 * DEEPEST * width) return whole;
  const half = (0.5 * height * (part.x[1] - part.x[0])) / width;
  if (Math.abs(part.y[1] - part.y[0] - 2 * half) < 0.02 * half && part.y[0] >= view.y[0] && part.y[1] <= view.y[1]) return part;
  const middle = clamp((part.y[0] + part.y[1]) / 2, view.y[0] + half, view.y[1] - half);
  return { x: [...part.x], y: [middle - half, middle + half] };
}
