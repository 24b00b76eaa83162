// All codes of a codebook, to take one in hand.
//
// palette({decoder, uses, rgb, tint, changed}) is an element with .hand, the code in hand;
// .take(code), which puts the palette in order around it; .pointed(), the code under the reader's
// pointer or cursor, or null; and .mark(code). changed() is called whenever any of them changes.
VQ.palette = (function () {
  "use strict";
  const { el } = VQ;
  const distance = (a, b) => a.reduce((sum, v, i) => sum + (v - b[i]) ** 2, 0);

  return function ({ decoder, uses, rgb, tint, changed }) {
    const K = decoder.count;
    const columns = Math.min(K, window.matchMedia("(max-width: 560px)").matches ? 32 : 64);
    let order = [], spot = 0, hover = null, focused = false; // spot and hover are places in it

    const orders = {
      likeness: ["nearest to it first", (k) => distance(decoder.vector(k), decoder.vector(node.hand))],
      use: ["most used first", (k) => -uses[k].length],
      number: ["by number", (k) => k],
    };
    const choice = el("select", { id: "order", change: arrange },
      ...Object.entries(orders).map(([value, [title]]) => el("option", { value }, title)));
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
      board.color(rgb(order));
      changed();
    }

    const node = el("section", { class: "palette", "aria-label": "Palette" },
      el("div", { class: "row tools" },
        el("label", { class: "row" }, "Code in hand", swatch, input),
        el("label", { class: "row" }, `All ${K} codes,`, choice)),
      board,
      el("p", { class: "note" }, "Codes with a dot are used in none of these frames."));

    return Object.assign(node, {
      take: (k) => {
        node.hand = k;
        arrange();
        hold(k);
      },
      pointed: () => (hover !== null ? order[hover] : focused ? order[spot] : null),
      mark: (code) => board.mark({
        outlined: [order.indexOf(node.hand)], cursor: order.indexOf(code),
        dotted: [...order.keys()].filter((i) => !uses[order[i]].length),
      }),
    });
  };
})();
