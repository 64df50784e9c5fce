// A picture of the maps as they are on the screen, to keep.

const EDGE = 24; // pixels

// Draw all maps with their titles, colour bars and the time, and hand the picture to the browser as a file.
function savePicture(player) {
  const scale = window.devicePixelRatio || 1;
  const maps = player.maps.getBoundingClientRect();
  const height = Math.max(maps.bottom, player.legends.getBoundingClientRect().bottom) - maps.top;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [(maps.width + 2 * EDGE) * scale, (height + 2 * EDGE + 56) * scale];
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  const style = getComputedStyle(player.root);
  const paper = style.getPropertyValue("--st-background-color") || "#fff";
  context.fillStyle = paper;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.translate(EDGE, EDGE);
  context.fillStyle = style.color;
  context.font = `600 15px ${style.fontFamily}`;
  context.fillText(player.view.title, 0, 14);
  context.font = `13px ${style.fontFamily}`;
  context.fillText(player.clock.textContent, 0, 36);
  for (const panel of player.panels) drawPanel(context, panel, maps, 56);
  const lead = player.clockLead.textContent.replace(" ", "-");
  canvas.toBlob((blob) => offer(blob, `${player.view.dataset}_${player.view.variable}_lead-${lead}.png`));
}

// Everything stands where it stands on the screen.
function drawPanel(context, panel, maps, below) {
  const at = (node) => {
    const box = node.getBoundingClientRect();
    return [box.left - maps.left, box.top - maps.top + below, box.width, box.height];
  };
  context.drawImage(panel.canvas, ...at(panel.canvas));
  panel.drawLegend(context, at);
  for (const node of [panel.name, panel.root.querySelector(".map-note"), ...panel.words, ...panel.ticks.children]) {
    if (!node.isConnected) continue; // small maps have one colour bar for all
    const [x, y, , tall] = at(node);
    const style = getComputedStyle(node);
    context.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    context.fillText(node.value || node.textContent, x, y + 0.5 * tall + 0.35 * parseFloat(style.fontSize));
  }
}

function offer(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
