// What a prior expects at one place: the most probable codes, to choose one of them.
//
// codeChoice({count, K, tint, choose}) has two elements, .facts and .list, the .canvases for what the
// codes look like, .ranked, the codes in the list, .said(), the facts in words, and .show(what).
// choose(i) is called for a code in the list.
VQ.codeChoice = (function () {
  "use strict";
  const { el, set } = VQ;

  function percent(p) {
    if (p >= 0.0995) return `${(100 * p).toFixed(0)} %`;
    return p >= 0.00095 ? `${(100 * p).toFixed(1)} %` : "< 0.1 %";
  }

  function ordinal(n) {
    const teen = n % 100 > 10 && n % 100 < 14;
    return n + ((!teen && ["th", "st", "nd", "rd"][n % 10]) || "th");
  }

  return function ({ count, K, tint, choose }) {
    const most = Math.log(K);
    const title = el("h2", {}), here = el("p", { class: "number" });
    const measured = el("span", { class: "number" }), filling = el("div", {});
    const facts = el("section", { class: "facts", "aria-label": "The position looked at" },
      title, here, el("p", { class: "label" }, measured), el("div", { class: "meter" }, filling));

    const tiles = Array.from({ length: count }, (_, i) => {
      const canvas = el("canvas", { width: 1, height: 1 }), name = el("span", {});
      const swatch = el("span", { class: "swatch" }), bar = el("div", {});
      const share = el("span", { class: "number share" });
      const mark = el("span", { class: "mark", role: "img", "aria-label": "here now" }, "\u2713");
      const button = el("button", { type: "button", id: `choice-${i + 1}`, click: () => choose(i) },
        el("span", { class: "key" }, String(i + 1)), mark,
        el("div", { class: "patch" }, canvas),
        el("div", { class: "meter" }, bar), share, el("span", { class: "code" }, swatch, name));
      return { canvas, name, swatch, bar, share, mark, button };
    });
    const note = el("p", { class: "label" });
    const list = el("section", { class: "choice", "aria-label": "Codes to choose from" },
      note, el("div", { class: "tiles" }, ...tiles.map(({ button }) => button)));
    const node = { facts, list, canvases: tiles.map(({ canvas }) => canvas), ranked: [], said, show };

    function said() {
      return `${title.textContent}. ${here.textContent} ${measured.textContent}.`;
    }

    // heading: of the place; here: its code, or null; said: how it came there; probabilities: of
    // all codes; text: what the list is.
    function show({ heading, here: code, said, probabilities, text }) {
      const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a] || a - b);
      node.ranked = order.slice(0, count);
      title.textContent = heading;
      if (code === null) here.textContent = said;
      else {
        const p = probabilities[code], nats = -Math.log(p);
        const rank = order.indexOf(code) + 1;
        here.textContent = `${said} code ${code}, ${rank === 1 ? "" : ordinal(rank) + " "}most probable ` +
          `of ${K}: ${percent(p)}, ${nats.toFixed(2)} nats.`;
      }
      const entropy = probabilities.reduce((sum, p) => sum - (p > 0 ? p * Math.log(p) : 0), 0);
      measured.textContent = `Entropy ${entropy.toFixed(2)} nats, of log ${K} = ${most.toFixed(2)} at most`;
      set(filling, { style: `width: ${((100 * entropy) / most).toFixed(1)}%` });
      note.textContent = text;
      tiles.forEach((tile, i) => {
        const k = node.ranked[i], p = probabilities[k], chosen = k === code;
        set(tile.button, { class: chosen ? "now" : null });
        tile.name.textContent = ` code ${k}`;
        tint(tile.swatch, k);
        tile.share.textContent = percent(p);
        set(tile.mark, { hidden: !chosen });
        set(tile.bar, { style: `width: ${(100 * p).toFixed(1)}%` });
      });
    }

    return node;
  };
})();
