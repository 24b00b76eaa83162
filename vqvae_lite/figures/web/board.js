// A board: squares in rows and columns, drawn as the pixels of a canvas, with marks over them that
// stay sharp at any size. Squares are numbered row by row.
//
// board({rows, columns, attributes}) is an element with .canvas, .color(colors), .mark(marks) and
// .listen(acts). Instead of a colour for each square the canvas may get a picture of them all.
VQ.board = (function () {
  "use strict";
  const { el, set } = VQ;

  return function ({ rows, columns, attributes = {} }) {
    const canvas = el("canvas", { width: columns, height: rows });
    const veil = el("path", { class: "veil" }), dots = el("path", { class: "dots" });
    const contours = ["halo", "line"].map((name) => el("path", { class: name }));
    const cursors = ["halo", "line"].map((name) => el("path", { class: "cursor " + name }));
    const svg = el("svg", {
      viewBox: `0 0 ${columns} ${rows}`, preserveAspectRatio: "none", "aria-hidden": "true",
    }, veil, dots, ...contours, ...cursors);
    const node = el("div", { ...attributes, class: "board" }, canvas, svg);
    const across = (i) => i % columns, down = (i) => Math.floor(i / columns);
    const path = (list, shape) => list.map((i) => shape(across(i), down(i))).join("");
    const square = (x, y) => `M${x} ${y}h1v1h-1z`;
    const dot = (x, y) => `M${x + 0.35} ${y + 0.35}h.3v.3h-.3z`;

    // A colour for each square, as bytes r, g, b, r...; squares without one stay clear.
    function color(bytes) {
      set(canvas, { width: columns, height: rows });
      const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
      for (let i = 0; i < bytes.length / 3; i++) {
        image.data.set([bytes[3 * i], bytes[3 * i + 1], bytes[3 * i + 2], 255], 4 * i);
      }
      context.putImageData(image, 0, 0);
    }

    // outlined: the squares to draw a line around; veiled: whether to dim all others; dotted: the
    // squares with a dot; cursor: the square with a frame, or null.
    function mark({ outlined = [], veiled = false, dotted = [], cursor = null }) {
      const inside = new Set(outlined);
      const edges = path(outlined, (x, y) => {
        const i = y * columns + x;
        return (inside.has(i - columns) ? "" : `M${x} ${y}h1`) +
          (inside.has(i + columns) ? "" : `M${x} ${y + 1}h1`) +
          (x > 0 && inside.has(i - 1) ? "" : `M${x} ${y}v1`) +
          (x < columns - 1 && inside.has(i + 1) ? "" : `M${x + 1} ${y}v1`);
      });
      set(veil, { d: veiled ? `M0 0H${columns}V${rows}H0z${path(outlined, square)}` : "" });
      set(dots, { d: path(dotted, dot) });
      contours.forEach((line) => set(line, { d: edges }));
      cursors.forEach((line) => set(line, { d: cursor === null ? "" : path([cursor], square) }));
    }

    function at(event) {
      const box = node.getBoundingClientRect();
      const x = Math.floor(((event.clientX - box.left) * columns) / box.width);
      const y = Math.floor(((event.clientY - box.top) * rows) / box.height);
      return Math.min(rows - 1, Math.max(0, y)) * columns + Math.min(columns - 1, Math.max(0, x));
    }

    // point(i): the mouse is over square i, or over none (null). click(i): a click or tap. move(i):
    // an arrow key leads from square from() to i. key(event): any other key. paint(i): a stroke
    // begins at i or reaches it; painted(): it has ended. Only while paints() is there a
    // stroke; the board's style.touchAction must be "none" then, or a finger scrolls the page.
    function listen({ point, click, from, move, key, paints = () => false, paint, painted }) {
      let last = null; // square of the stroke
      node.addEventListener("pointerdown", (event) => {
        if (event.button !== 0 || !event.isPrimary || !paints()) return;
        node.setPointerCapture(event.pointerId);
        last = at(event);
        paint(last);
      });
      node.addEventListener("pointermove", (event) => {
        if (!event.isPrimary) return;
        const i = at(event);
        if (last !== null) {
          for (const step of between(last, i)) paint(step);
          last = i;
        }
        if (event.pointerType === "mouse") point(i);
      });
      node.addEventListener("pointerleave", () => point(null));
      for (const end of ["pointerup", "pointercancel"]) {
        node.addEventListener(end, () => {
          if (last !== null) painted();
          last = null;
        });
      }
      node.addEventListener("click", (event) => {
        if (!paints()) click(at(event));
      });
      VQ.arrowKeys(node, (dx, dy, big) => {
        const step = big ? 5 : 1;
        const x = Math.min(columns - 1, Math.max(0, across(from()) + dx * step));
        const y = Math.min(rows - 1, Math.max(0, down(from()) - dy * step));
        move(y * columns + x);
      });
      node.addEventListener("keydown", key);
    }

    // The squares on the way from one to another, without the first: a quick hand skips some.
    function between(a, b) {
      const dx = across(b) - across(a), dy = down(b) - down(a);
      const steps = Math.max(Math.abs(dx), Math.abs(dy));
      return Array.from({ length: steps }, (_, s) => {
        const share = (s + 1) / steps;
        return Math.round(down(a) + dy * share) * columns + Math.round(across(a) + dx * share);
      });
    }

    return Object.assign(node, { canvas, color, mark, listen });
  };
})();
