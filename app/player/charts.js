// The curves below the maps share the maps' time. A Plotly figure takes part if its layout's meta says, as `cursor`,
// where on its x axis every frame stands.

class Charts {
  constructor(onSeek) {
    this.onSeek = onSeek;
    this.found = [];
  }

  // Find the charts, which come and go.
  look() {
    this.found = [...document.querySelectorAll(".js-plotly-plot")];
  }

  // Draw the cursors anew where the frame is another one.
  follow(frame) {
    if (frame !== this.frame) this.move(frame);
  }

  // Draw the cursor of every chart at a frame.
  move(frame) {
    this.frame = frame;
    for (const chart of this.found) if (chart.layout?.meta?.cursor) this.moveIn(chart, frame);
  }

  moveIn(chart, frame) {
    const { xaxis, yaxis } = chart._fullLayout ?? {};
    if (!xaxis?.d2p || !chart.isConnected) return;
    const line = this.lineOf(chart);
    const at = chart.layout.meta.cursor[Math.min(frame, chart.layout.meta.cursor.length - 1)];
    const left = xaxis._offset + clamp(xaxis.d2p(at), 0, xaxis._length);
    style(line, { transform: `translateX(${left}px)`, top: `${yaxis._offset}px`, height: `${yaxis._length}px` });
  }

  // The player that is on the page draws the line and is told of clicks, whichever made them.
  lineOf(chart) {
    chart.coldcastSeek = this.onSeek;
    const known = chart.querySelector(":scope > .coldcast-cursor");
    if (known) return known;
    const line = element("div", "coldcast-cursor", chart);
    line.style.cssText =
      "position:absolute;left:-0.75px;top:0;width:1.5px;background:#8b949b;opacity:.9;pointer-events:none;z-index:5;" +
      "will-change:transform"; // a layer of its own: moving it does not paint the chart anew
    chart.style.position = "relative";
    if (!chart.coldcastListens) this.listen(chart);
    return line;
  }

  // A click, or a drag along the chart, moves the maps.
  listen(chart) {
    chart.coldcastListens = true;
    const seek = (event) => {
      const { xaxis, yaxis } = chart._fullLayout;
      const box = chart.getBoundingClientRect();
      const [x, y] = [event.clientX - box.left - xaxis._offset, event.clientY - box.top - yaxis._offset];
      if (x < -8 || x > xaxis._length + 8 || y < 0 || y > yaxis._length) return;
      const away = chart.layout.meta.cursor.map((at) => Math.abs(xaxis.d2p(at) - x));
      chart.coldcastSeek(away.indexOf(Math.min(...away)));
    };
    chart.addEventListener("pointerdown", seek, true);
    chart.addEventListener("pointermove", (event) => event.buttons === 1 && seek(event), true);
  }
}
