// A square piece of the plane, or a chart, on a canvas that stays sharp and follows the theme.
//
// VQ.planePlot({attributes}) is a canvas with .limit, half the side of what it shows, .at(u, v), a
// place's pixels, .place(x, y), the place of fractions of its width and height, .begin(), .dot(),
// .line() and .end(); .pen is its context. VQ.lineChart({label}) is one with
// .draw(lines, steps, {log, top}). VQ.sharpCanvas(width, height) is an empty one, .context its pen.
(function () {
  "use strict";
  const { el, set } = VQ;
  const SIZE = 360, WIDE = 360, HIGH = 130, LEFT = 42, BASE = 112;

  VQ.sharpCanvas = function (width, height) {
    const canvas = el("canvas", { role: "img" });
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    canvas.style.aspectRatio = `${width} / ${height}`;
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    return Object.assign(canvas, { context });
  };

  VQ.planePlot = function ({ attributes = {} }) {
    const node = Object.assign(VQ.sharpCanvas(SIZE, SIZE), { limit: 2.4 }), { context } = node;
    set(node, { ...attributes, class: "plane" });
    node.at = (u, v) => [((u / node.limit + 1) * SIZE) / 2, ((1 - v / node.limit) * SIZE) / 2];
    node.place = (x, y) => [(2 * x - 1) * node.limit, (1 - 2 * y) * node.limit]; // of fractions
    return Object.assign(node, {
      pen: context, size: SIZE,
      begin() {
        context.clearRect(0, 0, SIZE, SIZE);
        context.font = "12px system-ui, sans-serif";
      },
      end() { // the scale, over all that was drawn
        const digits = node.limit < 10 ? 1 : 0;
        context.fillStyle = VQ.color("muted");
        context.textAlign = "left";
        context.fillText(`\u2212${node.limit.toFixed(digits)}`, 4, SIZE / 2 - 4);
        context.textAlign = "right";
        context.fillText(node.limit.toFixed(digits), SIZE - 4, SIZE / 2 - 4);
      },
      dot([u, v], radius) {
        context.beginPath();
        context.arc(...node.at(u, v), radius, 0, 2 * Math.PI);
        context.fill();
      },
      line(places) {
        context.beginPath();
        places.forEach(([u, v], i) => context[i ? "lineTo" : "moveTo"](...node.at(u, v)));
        context.stroke();
      },
    });
  };

  // lines: {name, color, dash, values}, one value for each of `steps`.
  VQ.lineChart = function ({ label }) {
    const canvas = VQ.sharpCanvas(WIDE, HIGH), { context } = canvas;
    set(canvas, { class: "chart", "aria-label": label });
    return Object.assign(canvas, {
      draw(lines, steps, { log = false, top = null }) {
        const height = log ? (value) => Math.log10(Math.max(value, 1e-4)) : (value) => value;
        const all = lines.flatMap(({ values }) => values.map(height)).filter(Number.isFinite);
        const low = log ? Math.floor(Math.min(-2, ...all)) : 0;
        const high = log ? Math.ceil(Math.max(0, ...all)) : top;
        const x = VQ.scale([0, Math.max(1, steps[steps.length - 1] ?? 1)], [LEFT, WIDE - 6]);
        const y = VQ.scale([low, high], [BASE, 6]);
        context.clearRect(0, 0, WIDE, HIGH);
        context.font = "12px system-ui, sans-serif";
        context.textAlign = "right";
        const marks = log ? Array.from({ length: high - low + 1 }, (_, i) => low + i) : [0, high / 2, high];
        for (const mark of marks) {
          context.strokeStyle = VQ.color("line");
          context.lineWidth = 1;
          context.beginPath();
          context.moveTo(LEFT, y(mark));
          context.lineTo(WIDE - 6, y(mark));
          context.stroke();
          context.fillStyle = VQ.color("ink");
          context.fillText(log ? String(10 ** mark) : String(mark), LEFT - 5, y(mark) + 4);
        }
        context.fillText(`step ${steps[steps.length - 1] ?? 0}`, WIDE - 6, HIGH - 3);
        for (const { color, dash = [], values } of lines) {
          context.strokeStyle = VQ.color(color);
          context.lineWidth = 1.8;
          context.setLineDash(dash);
          context.beginPath();
          values.forEach((value, i) => context[i ? "lineTo" : "moveTo"](x(steps[i]), y(height(value))));
          context.stroke();
          context.setLineDash([]);
        }
      },
    });
  };
})();
