// What is known of one code: its vector, what the decoder makes of it alone, and pixels of the
// pictures that it stands for.
//
// codeCard({decoder, uses, tint, around}) is an element with .show(code, facts) and, for
// when the frames have come, .refresh(). uses[code] lists the code's uses; around(canvas, use)
// draws the pixels around one.
VQ.codeCard = (function () {
  "use strict";
  const { el, set } = VQ;
  const TILES = 12;
  const signed = (v) => (v < 0 ? "\u2212" : "") + Math.abs(v).toFixed(2);

  return function ({ decoder, uses, tint, around }) {
    const { size, vector } = decoder;
    const decode = decoder.on(3, 3);
    const swatch = el("span", { class: "swatch" }), name = el("span", {});
    const facts = el("p", { class: "facts number" }), alone = el("canvas", {});
    const barsLabel = el("p", { class: "label number" });
    const bars = Array.from({ length: size }, (_, i) => el("rect", { x: i + 0.12, width: 0.76 }));
    const chart = el("svg", {
      class: "bars", viewBox: `0 -1 ${size} 2`, preserveAspectRatio: "none", role: "img",
    }, el("line", { x1: 0, x2: size, y1: 0, y2: 0 }), ...bars);
    const tilesLabel = el("p", { class: "label" }), tiles = el("div", { class: "tiles" });
    const node = el("section", { class: "card", "aria-label": "The code pointed at" },
      el("figure", { class: "alone" }, alone, el("figcaption", {}, "nine of it,", el("br"), "decoded")),
      el("h2", {}, swatch, " ", name), facts,
      barsLabel, chart, tilesLabel, tiles);

    let shown = null;

    function show(code, text) {
      facts.textContent = text;
      if (code === shown) return;
      shown = code;
      name.textContent = `Code ${code}`;
      tint(swatch, code);
      const values = vector(code);
      const range = `${size} numbers from ${signed(Math.min(...values))} to ${signed(Math.max(...values))}`;
      barsLabel.textContent = `Its vector: ${range}`;
      set(chart, { "aria-label": `Vector of code ${code}: ${range}` });
      const highest = Math.max(...values.map(Math.abs)) || 1;
      bars.forEach((bar, i) => {
        const length = Math.abs(values[i]) / highest, up = values[i] > 0;
        set(bar, { y: up ? -length : 0, height: length, class: up ? "up" : "down" });
      });
      const picture = decode(new Int32Array(9).fill(code));
      VQ.paint(alone, picture.bytes(), picture.width, picture.height);
      refresh();
    }

    function refresh() {
      if (shown === null) return;
      const list = uses[shown], length = Math.min(TILES, list.length);
      tilesLabel.textContent = length
        ? "Pixels it stands for, with what lies around them" : "It stands for nothing in these pictures";
      // There are always as many tiles, or what lies below would move under the reader's pointer.
      tiles.replaceChildren(...Array.from({ length: TILES }, (_, i) => {
        if (i >= length) return el("div", { class: "tile none" });
        const canvas = el("canvas", {});
        around(canvas, list[Math.floor((i * list.length) / length)]);
        return el("div", { class: "tile" }, canvas);
      }));
    }

    return Object.assign(node, { show, refresh });
  };
})();
