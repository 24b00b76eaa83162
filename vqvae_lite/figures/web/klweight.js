// The weight of a VAE's KL term: a slider, three rows of pictures, and what was measured.
(function () {
  "use strict";
  const { el, set } = VQ;
  const { points, measures, originals, count } = VQ.data;
  const LAST = points.length - 1;
  let chosen = VQ.data.start;

  // ---- controls ----
  const slider = VQ.slider({
    label: "Weight of the KL term", id: "weight", min: 0, max: LAST, value: chosen,
    show: (i) => points[i].name, act: (i) => { chosen = i; draw(); },
  });
  const step = (text, by) => VQ.button(text, () => { go(chosen + by); });
  const less = Object.assign(step("Smaller", -1), { id: "less" });
  const more = Object.assign(step("Larger", 1), { id: "more" });

  function go(i) {
    chosen = Math.max(0, Math.min(LAST, i));
    slider.input.value = chosen;
    slider.refresh();
    draw();
  }

  // ---- pictures ----
  const strip = (label, source) => {
    const image = el("img", { class: "strip", src: source, alt: label });
    return { image, node: el("div", {}, el("p", { class: "label" }, label), image) };
  };
  const frames = strip(`${count} held-out frames`, originals);
  const reconstructions = strip("Their reconstructions", points[chosen].reconstructions);
  const samples = strip("Samples: latents drawn at random, decoded", points[chosen].samples);
  const sentence = el("p", { class: "sentence" });

  // ---- measures: one scale each, a ring for every weight, a dot for the chosen one ----
  const WIDE = 260, HIGH = 24, MIDDLE = 12;
  const x = VQ.scale([0, 1], [8, WIDE - 8]);
  const rows = measures.map(({ name, places, texts, real, realText }) => {
    const track = el("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, class: "track", role: "img" });
    track.append(el("line", { class: "axis", x1: 8, x2: WIDE - 8, y1: MIDDLE, y2: MIDDLE }));
    if (real !== null) {
      track.append(el("path", { class: "real", d: `M${x(real).toFixed(1)} 2 V22` }));
    }
    for (const place of places) {
      if (place !== null) track.append(el("circle", { class: "other", cx: x(place), cy: MIDDLE, r: 3.5 }));
    }
    const dot = el("circle", { class: "chosen", cy: MIDDLE, r: 6.5 });
    track.append(dot);
    const value = el("td", { class: "number" });
    const yardstick = el("td", { class: "number muted" }, real === null ? "\u2013" : realText);
    const node = el("tr", {}, el("th", { scope: "row" }, name), el("td", { class: "scale" }, track), value, yardstick);
    return { name, places, texts, realText, track, dot, value, node };
  });
  const table = el("table", { class: "measures" },
    el("thead", {}, el("tr", {},
      el("th", { scope: "col" }, "measure"),
      el("th", { scope: "col", class: "scale" }, "from low to high"),
      el("th", { scope: "col", class: "number" }, "here"),
      el("th", { scope: "col", class: "number" }, "real frames"))),
    el("tbody", {}, ...rows.map(({ node }) => node)));

  VQ.root.append(
    el("div", { class: "row" }, slider, less, more),
    sentence,
    frames.node, reconstructions.node, samples.node,
    table,
    el("p", { class: "note legend" },
      el("span", {}, el("span", { class: "key chosen-key" }, "\u25cf"), " this weight"),
      el("span", {}, "\u25cb another weight"),
      el("span", {}, el("span", { class: "key real-key" }, "|"), " real frames")));

  // ---- everything follows from chosen ----
  function draw() {
    const point = points[chosen];
    set(reconstructions.image, {
      src: point.reconstructions, alt: `Reconstructions at the weight ${point.name}`,
    });
    set(samples.image, { src: point.samples, alt: `Samples at the weight ${point.name}` });
    less.disabled = chosen === 0;
    more.disabled = chosen === LAST;
    sentence.textContent = point.sentence;
    for (const { name, places, texts, realText, track, dot, value } of rows) {
      const place = places[chosen];
      value.textContent = texts[chosen];
      set(dot, { cx: place === null ? 0 : x(place), visibility: place === null ? "hidden" : null });
      set(track, {
        "aria-label": `${name}: ${texts[chosen]}` + (realText ? `; real frames: ${realText}` : ""),
      });
    }
    VQ.state(`weight ${point.name}; ${rows.map(({ texts }) => texts[chosen]).join("; ")}`);
    VQ.announce(`Weight ${point.name}. ${point.sentence}`);
  }

  draw();
})();
