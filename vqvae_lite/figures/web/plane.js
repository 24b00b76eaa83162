// The quantizer in the plane: encoder outputs and codes that can be dragged, the codes' Voronoi
// cells, and the six steps for the chosen output.
(function () {
  "use strict";
  const { el, set } = VQ;
  const SIZE = 440, LEFT = 36, BOTTOM = 404, LIMIT = VQ.data.limit;
  const STEP_SIZE = 0.25; // of one straight-through step
  const FILLS = ["blue", "orange", "green", "purple", "sky", "vermilion", "yellow", "muted"];
  const x = VQ.scale([-LIMIT, LIMIT], [LEFT, SIZE - 4]);
  const y = VQ.scale([-LIMIT, LIMIT], [BOTTOM, 4]);
  const [ROWS, COLUMNS] = VQ.data.map;

  const start = () => JSON.parse(JSON.stringify(VQ.data));
  let { codebook, outputs, target } = start();
  let chosen = VQ.data.chosen;
  let last = "start"; // what the reader did last, for the state
  let trail = []; // where the chosen output was before each step

  const COUNT = outputs.length, K = codebook.length;

  // ---- the quantizer, as in the chapter ----
  const squared = (a, b) => (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2;
  const distances = (point) => codebook.map((code) => squared(point, code));
  const argmin = (values) => values.indexOf(Math.min(...values));

  // The part of the square that is nearer to code k than to any other: the square, cut once by
  // the half-plane of each other code. A point p is on the near side of the border between a
  // and b where 2 (b - a).p <= |b|^2 - |a|^2.
  function cell(k) {
    const a = codebook[k];
    let polygon = [[-LIMIT, -LIMIT], [LIMIT, -LIMIT], [LIMIT, LIMIT], [-LIMIT, LIMIT]];
    codebook.forEach((b, j) => {
      if (j === k) return;
      if (squared(a, b) === 0) { // in the same place the lower index takes all
        if (j < k) polygon = [];
        return;
      }
      const normal = [2 * (b[0] - a[0]), 2 * (b[1] - a[1])];
      const offset = b[0] ** 2 + b[1] ** 2 - a[0] ** 2 - a[1] ** 2;
      const side = (p) => normal[0] * p[0] + normal[1] * p[1] - offset;
      const cut = [];
      polygon.forEach((p, i) => {
        const q = polygon[(i + 1) % polygon.length];
        const sp = side(p), sq = side(q);
        if (sp <= 0) cut.push(p);
        if (sp * sq < 0) {
          const t = sp / (sp - sq);
          cut.push([p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])]);
        }
      });
      polygon = cut;
    });
    return polygon;
  }

  // ---- words and numbers ----
  const number = (value, digits = 2) =>
    (value < -0.005 ? "\u2212" : "") + Math.abs(value).toFixed(digits);
  const vector = (v) => `(${number(v[0])},\u00a0${number(v[1])})`;
  const place = (i) => `row ${Math.floor(i / COLUMNS)}, column ${i % COLUMNS}`;
  const shape = (...sizes) => "(" + sizes.join(", ") + (sizes.length === 1 ? ",)" : ")");

  // ---- the plane ----
  const plane = el("svg", {
    viewBox: `0 0 ${SIZE} ${SIZE}`, class: "plane", role: "group",
    "aria-label": "The plane of encoder outputs and codes",
  });
  const arrowHead = el("marker", {
    id: "head", viewBox: "0 0 10 10", refX: 8, refY: 5, markerWidth: 5, markerHeight: 5,
    orient: "auto-start-reverse",
  }, el("path", { d: "M0 0 L10 5 L0 10 z", fill: "var(--ink)" }));
  plane.append(el("defs", {}, arrowHead));
  const cells = codebook.map((_, k) => el("polygon", {
    fill: `var(--${FILLS[k % FILLS.length]})`, class: "cell",
  }));
  plane.append(...cells);
  for (const tick of [-2, -1, 0, 1, 2]) {
    plane.append(
      el("line", { class: "tick", x1: x(tick), x2: x(tick), y1: BOTTOM, y2: BOTTOM + 5 }),
      el("line", { class: "tick", x1: LEFT - 5, x2: LEFT, y1: y(tick), y2: y(tick) }),
      el("text", { x: x(tick), y: BOTTOM + 18, "text-anchor": "middle" }, number(tick, 0)),
      el("text", { x: LEFT - 8, y: y(tick) + 4, "text-anchor": "end" }, number(tick, 0)),
    );
  }
  plane.append(
    el("text", { x: x(0), y: SIZE - 4, "text-anchor": "middle" }, "first component"),
    el("text", { x: 11, y: y(0), "text-anchor": "middle", transform: `rotate(-90 11 ${y(0)})` },
      "second component"),
  );
  const tether = el("line", { class: "tether" });
  const arrows = [el("line", { class: "arrow" }), el("line", { class: "arrow copied" })];
  const path = el("polyline", { class: "trail" });
  plane.append(tether, path, ...arrows);

  const handle = (id, mark) => el(
    "g", { id, class: "handle", tabindex: 0, role: "button" },
    el("circle", { r: 17, fill: "transparent" }), mark,
  );
  const codeHandles = codebook.map((_, k) => handle(`code-${k}`, el(
    "g", {}, el("rect", { class: "code", x: -11, y: -11, width: 22, height: 22, rx: 4 }),
    el("text", { class: "code-name", y: 5, "text-anchor": "middle" }, String(k)),
  )));
  const targetHandle = handle("target", el("path", {
    class: "target", d: "M0 -12 L3.5 -4 L12 -3.5 L5.5 2 L7.5 10.5 L0 6 L-7.5 10.5 L-5.5 2 L-12 -3.5 L-3.5 -4 z",
  }));
  const outputHandles = outputs.map((_, i) => handle(`output-${i}`, el("circle", { class: "output", r: 6.5 })));
  plane.append(...codeHandles, targetHandle, ...outputHandles);

  function movable(node, place, name, choose = () => {}) {
    const clamp = (value) => Math.min(LIMIT, Math.max(-LIMIT, value));
    const moveTo = (point) => {
      trail = [];
      place().splice(0, 2, clamp(point[0]), clamp(point[1]));
      last = name();
      draw();
    };
    // Taken beside its middle, a handle keeps that distance from the pointer.
    let held = [0, 0];
    const pointed = (u, v) => [x.invert(u * SIZE), y.invert(v * SIZE)];
    VQ.drag(node, plane, (u, v) => moveTo(pointed(u, v).map((value, d) => value - held[d])), (u, v) => {
      held = pointed(u, v).map((value, d) => value - place()[d]);
      choose();
    });
    VQ.arrowKeys(node, (dx, dy, big) => {
      const step = big ? 0.5 : 0.05;
      moveTo([place()[0] + dx * step, place()[1] + dy * step]);
    });
    node.addEventListener("focus", choose);
  }

  function choose(i) {
    if (chosen === i) return;
    chosen = i;
    trail = [];
    last = `choose ${i}`;
    draw();
  }

  codeHandles.forEach((node, k) => movable(node, () => codebook[k], () => `code ${k}`));
  movable(targetHandle, () => target, () => "target");
  outputHandles.forEach((node, i) => movable(node, () => outputs[i], () => `output ${i}`, () => choose(i)));

  // ---- the code map: one Tab stop, arrow keys inside it ----
  const mapButtons = outputs.map((_, i) => el("button", { type: "button", click: () => choose(i) }));
  const map = el("div", {
    class: "map", role: "group", "aria-label": "Code map: choose an encoder output",
    style: `grid-template-columns: repeat(${COLUMNS}, 1fr)`,
  }, ...mapButtons);
  mapButtons.forEach((node, i) => VQ.arrowKeys(node, (dx, dy) => {
    const column = Math.min(COLUMNS - 1, Math.max(0, (i % COLUMNS) + dx));
    const row = Math.min(ROWS - 1, Math.max(0, Math.floor(i / COLUMNS) - dy));
    choose(row * COLUMNS + column);
    mapButtons[chosen].focus();
  }));

  // ---- distances as bars ----
  const bars = codebook.map((_, k) => {
    const bar = el("span", { class: "bar" });
    const value = el("span", { class: "number" });
    const row = el("div", { class: "distance" }, el("span", {}, String(k)), el("span", { class: "track" }, bar), value);
    return { row, bar, value };
  });

  // ---- the six steps ----
  const steps = [
    ["Reshape", `${shape(1, 2, ROWS, COLUMNS)} \u2192 ${shape(COUNT, 2)}`],
    ["Distances", shape(COUNT, K)],
    ["Argmin", shape(COUNT)],
    ["Look up", shape(COUNT, 2)],
    ["Reshape back", shape(1, 2, ROWS, COLUMNS)],
    ["Copy gradients", shape(1, 2, ROWS, COLUMNS)],
  ].map(([name, sizes], i) => {
    const value = el("td", { class: "number" });
    return { value, row: el("tr", {}, el("th", { scope: "row" }, `${i + 1}. ${name}`), el("td", { class: "number" }, sizes), value) };
  });

  const heading = el("h2", {});
  const stepButton = VQ.button("Take a step", () => {
    const code = codebook[argmin(distances(outputs[chosen]))];
    const moved = outputs[chosen].map((value, d) => value - STEP_SIZE * (code[d] - target[d]));
    trail.push(outputs[chosen]);
    outputs[chosen] = moved.map((value) => Math.min(LIMIT, Math.max(-LIMIT, value)));
    last = "step";
    draw();
  });
  stepButton.id = "step";
  const resetButton = VQ.button("Start again", () => {
    ({ codebook, outputs, target } = start());
    chosen = VQ.data.chosen;
    last = "start";
    trail = [];
    draw();
  });
  const loss = el("p", { class: "note number", id: "loss" });

  VQ.root.append(
    el("div", { class: "columns" },
      el("div", { class: "left" }, plane,
        el("p", { class: "note" }, "\u25cf encoder outputs \u2003 \u25a2 codes \u2003 \u2606 what the decoder would like to get. Arrows: downhill at the code, and its copy at the output. Drag anything; or Tab to it and press the arrow keys, with Shift for bigger steps.")),
      el("div", { class: "right" },
        heading,
        el("p", { class: "label" }, "Code map (pick a position)"), map,
        el("p", { class: "label" }, "Squared distance to each code"),
        el("div", { class: "distances" }, ...bars.map((bar) => bar.row)),
        el("div", { class: "row buttons" }, stepButton, resetButton), loss)),
    el("table", {},
      el("thead", {}, el("tr", {}, ...["Step", "Shape", "At this position"].map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, ...steps.map((step) => step.row))),
  );

  // ---- everything follows from codebook, outputs, target and chosen ----
  const at = (point) => `translate(${x(point[0]).toFixed(1)} ${y(point[1]).toFixed(1)})`;
  const ends = (a, b) => ({ x1: x(a[0]), y1: y(a[1]), x2: x(b[0]), y2: y(b[1]) });

  function draw() {
    const codes = outputs.map((point) => argmin(distances(point)));
    const point = outputs[chosen], k = codes[chosen], code = codebook[k];
    const gradient = [code[0] - target[0], code[1] - target[1]];

    cells.forEach((node, j) => set(node, {
      points: cell(j).map((p) => `${x(p[0]).toFixed(1)},${y(p[1]).toFixed(1)}`).join(" "),
      class: j === k ? "cell chosen" : "cell",
    }));
    codeHandles.forEach((node, j) => set(node, {
      transform: at(codebook[j]), "aria-label": `Code ${j} at ${vector(codebook[j])}`,
    }));
    // Codes that lie on one another share a name: the last one hides the others.
    codeHandles.forEach((node, j) => {
      const here = [...codebook.keys()].filter((i) => i <= j && squared(codebook[i], codebook[j]) < 0.02);
      const name = node.querySelector("text");
      name.textContent = here.join(",");
      set(name, { style: here.length > 1 ? "font-size: 10px" : null });
    });
    outputHandles.forEach((node, i) => set(node, {
      transform: at(outputs[i]), class: i === chosen ? "handle chosen" : "handle",
      "aria-label": `Encoder output ${place(i)} at ${vector(outputs[i])}, code ${codes[i]}`,
      // Tab goes to the chosen output only; the code map chooses.
      tabindex: i === chosen ? 0 : -1,
    }));
    set(targetHandle, { transform: at(target), "aria-label": `Target at ${vector(target)}` });
    set(tether, ends(point, code));
    set(path, { points: [...trail, point].map((p) => `${x(p[0]).toFixed(1)},${y(p[1]).toFixed(1)}`).join(" ") });
    // Half the downhill gradient, so that the arrow does not reach the target and hide it.
    const tip = (from) => [from[0] - gradient[0] / 2, from[1] - gradient[1] / 2];
    set(arrows[0], ends(code, tip(code)));
    set(arrows[1], ends(point, tip(point)));

    mapButtons.forEach((node, i) => {
      node.textContent = codes[i];
      set(node, {
        style: `--tint: var(--${FILLS[codes[i] % FILLS.length]})`, "aria-pressed": String(i === chosen),
        "aria-label": `${place(i)}: code ${codes[i]}`, tabindex: i === chosen ? 0 : -1,
      });
    });

    const all = distances(point), most = Math.max(...all);
    bars.forEach(({ row, bar, value }, j) => {
      row.className = j === k ? "distance nearest" : "distance";
      set(bar, { style: `width: ${((100 * all[j]) / most).toFixed(1)}%; background: var(--${FILLS[j % FILLS.length]})` });
      value.textContent = number(all[j]) + (j === k ? " \u25c0" : "");
    });

    heading.textContent = `${place(chosen)}: code ${k}`.replace("row", "Row");
    [
      `row ${chosen} is x = ${vector(point)}`,
      `row ${chosen}: from ${number(all[k])} to ${number(most)}`,
      `code ${k}`,
      `e = ${vector(code)}`,
      `channels at ${place(chosen)}: ${vector(code)}`,
      `downhill, against the gradient: ${vector([-gradient[0], -gradient[1]])}, copied from z_q to z_e`,
    ].forEach((text, i) => { steps[i].value.textContent = text; });
    loss.textContent = `Loss \u00bd|z_q \u2212 \u2606|\u00b2 = ${number(squared(code, target) / 2)}. ` +
      `True gradient at z_e: (0, 0). Straight-through: ${vector(gradient)}; the arrows point the other way, downhill.`;

    VQ.state(`${last}; chosen ${chosen} at ${vector(point)}; map ${codes.join("")}; moved ` +
      [...codebook, ...outputs, target].flat().reduce((sum, value, i) => sum + (i + 1) * value, 0).toFixed(3));
    VQ.announce(`Encoder output ${place(chosen)} at ${vector(point)}: nearest is code ${k}, squared distance ${number(all[k])}.`);
  }

  draw();
})();
