// All codes of a codebook, as colours or as an atlas of what the decoder paints for each, to take one
// in hand.
//
// palette({model, uses, rgb, tint, changed}) is an element with .hand, the code in hand;
// .take(code), which puts the palette in order around it; .pointed(), the code under the reader's
// pointer or cursor, or null; and .mark(code). changed() is called whenever any of them changes.
VQ.palette = (function () {
  "use strict";
  const { el } = VQ;
  const distance = (a, b) => a.reduce((sum, v, i) => sum + (v - b[i]) ** 2, 0);

  return function ({ model, uses, rgb, tint, changed }) {
    const { decoder, atlas } = model, K = decoder.count;
    const columns = Math.min(K, window.matchMedia("(max-width: 560px)").matches ? 32 : 64);
    let order = [], spot = 0, hover = null, focused = false; // spot and hover are places in it

    // The codebook in the plane: what is alike in the first direction shares a column, and within a
    // column the second decides. `atlas` has the two for each code.
    function ranks() {
      const rows = Math.ceil(K / columns), all = [...Array(K).keys()], rank = new Float64Array(K);
      all.sort((a, b) => atlas[2 * a] - atlas[2 * b]);
      for (let c = 0; c < columns; c++) {
        const column = all.slice(c * rows, (c + 1) * rows).sort((a, b) => atlas[2 * a + 1] - atlas[2 * b + 1]);
        column.forEach((k, r) => { rank[k] = r * columns + c; });
      }
      return rank;
    }
    let rank = null;

    const orders = {
      atlas: ["like beside like", (k) => (rank = rank ?? ranks())[k]],
      likeness: ["nearest to it first", (k) => distance(decoder.vector(k), decoder.vector(node.hand))],
      use: ["most used first", (k) => -uses[k].length],
      number: ["by number", (k) => k],
    };
    const choice = el("select", { id: "order", change: arrange },
      ...Object.entries(orders).map(([value, [title]]) => el("option", { value }, title)));
    const look = el("select", { id: "look", "aria-label": "How the codes are shown", change: arrange },
      el("option", { value: "color" }, "as colours"), el("option", { value: "tile" }, "as what it paints"));
    const swatch = el("span", { class: "swatch" });
    const input = el("input", { id: "hand", type: "number", min: 0, max: K - 1, step: 1 });
    input.addEventListener("input", () => {
      const k = input.valueAsNumber;
      if (Number.isInteger(k) && k >= 0 && k < K) hold(k);
    });
    input.addEventListener("change", () => { input.value = node.hand; });

    const board = VQ.board({
      rows: Math.ceil(K / columns), columns,
      attributes: {
        id: "palette", tabindex: 0, role: "application", "aria-roledescription": "palette",
        "aria-label": `All ${K} codes. Arrow keys move, Enter takes a code in hand.`,
        focus: () => { focused = board.matches(":focus-visible"); changed(); },
        blur: () => { focused = false; changed(); },
      },
    });
    board.listen({
      point: (i) => { hover = i < K ? i : null; changed(); },
      click: (i) => { if (i < K) hold(order[i]); },
      from: () => spot,
      move: (i) => {
        [spot, hover, focused] = [Math.min(i, K - 1), null, true];
        VQ.announce(`Code ${order[spot]}, at ${uses[order[spot]].length} places of all frames.`);
        changed();
      },
      key: (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        hold(order[spot]);
        event.preventDefault();
      },
    });

    // Under the reader's own pointer the palette stays as it is.
    function hold(k) {
      node.hand = k;
      spot = order.indexOf(k);
      if (input !== document.activeElement) input.value = k;
      tint(swatch, k);
      VQ.announce(`Code ${k} in hand.`);
      changed();
    }

    function arrange() {
      const key = Float64Array.from({ length: K }, (_, k) => orders[choice.value][1](k));
      order = [...key.keys()].sort((a, b) => key[a] - key[b] || a - b);
      spot = order.indexOf(node.hand);
      if (look.value === "tile") paintTiles();
      else board.color(rgb(order));
      changed();
    }

    // The middle of what the decoder makes of nine of a code: for all codes at once, on one large map.
    let tiles = null, side = 0;
    function paintTiles() {
      const rows = Math.ceil(K / columns);
      if (!tiles) {
        const codes = Int32Array.from({ length: 9 * rows * columns }, (_, i) => {
          const x = Math.floor((i % (3 * columns)) / 3), y = Math.floor(i / (9 * columns));
          return y * columns + x < K ? y * columns + x : -1;
        });
        const picture = decoder.on(3 * rows, 3 * columns)(codes), bytes = picture.bytes();
        side = picture.width / (3 * columns);
        tiles = (k, x, y) => {
          const left = (3 * (k % columns) + 1) * side + x, top = (3 * Math.floor(k / columns) + 1) * side + y;
          return bytes.subarray(3 * (top * picture.width + left), 3 * (top * picture.width + left) + 3);
        };
      }
      const width = columns * side, image = new Uint8ClampedArray(3 * width * rows * side);
      order.forEach((k, spot) => {
        const left = (spot % columns) * side, top = Math.floor(spot / columns) * side;
        for (let y = 0; y < side; y++) {
          for (let x = 0; x < side; x++) image.set(tiles(k, x, y), 3 * ((top + y) * width + left + x));
        }
      });
      VQ.paint(board.canvas, image, width, rows * side);
    }

    const node = el("section", { class: "palette", "aria-label": "Palette" },
      el("div", { class: "row tools" },
        el("label", { class: "row" }, "Code in hand", swatch, input),
        el("label", { class: "row" }, `All ${K} codes,`, choice), el("label", { class: "row" }, look)),
      board,
      el("p", { class: "note" }, "Codes with a dot are used in none of these pictures."));

    return Object.assign(node, {
      take: (k) => {
        node.hand = k;
        arrange();
        hold(k);
      },
      pointed: () => (hover !== null ? order[hover] : focused ? order[spot] : null),
      mark: (code) => board.mark({
        outlined: [order.indexOf(node.hand)], cursor: order.indexOf(code),
        dotted: look.value === "tile" ? [] : [...order.keys()].filter((i) => !uses[order[i]].length),
      }),
    });
  };
})();
