// How far the encoder's vector at one place lies from every code: the nearest ones as bars, and all
// of them in order.
//
// distances({rgb}) is an element with .show(distances, place): the squared distances to all codes.
VQ.distances = (function () {
  "use strict";
  const { el, set } = VQ;
  const FEW = 12;

  return function ({ rgb }) {
    const label = el("p", { class: "label number", id: "nearest" });
    const bars = Array.from({ length: FEW }, (_, i) => el("rect", { x: i + 0.1, width: 0.8 }));
    const few = el("svg", {
      class: "few", viewBox: `0 0 ${FEW} 1`, preserveAspectRatio: "none", "aria-hidden": "true",
    }, ...bars);
    const names = Array.from({ length: FEW }, () => el("span", {}));
    const area = el("path", {});
    const all = el("svg", {
      class: "all", viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true",
    }, area);
    const below = el("p", { class: "label" });
    const node = el("section", { class: "distances", "aria-label": "Distances to the codes" },
      label, few, el("div", { class: "names number" }, ...names), all, below);

    function show(squared, place) {
      const far = squared.map(Math.sqrt);
      const order = [...far.keys()].sort((a, b) => far[a] - far[b] || a - b);
      const highest = far[order[order.length - 1]] || 1, top = far[order[Math.min(FEW, order.length) - 1]] || 1;
      label.textContent = `Distance of the encoder\u2019s vector at ${place} to the nearest codes: ` +
        `${far[order[0]].toFixed(2)} to code ${order[0]}, ${far[order[1] ?? order[0]].toFixed(2)} to the next`;
      bars.forEach((bar, i) => {
        const k = order[i], height = k === undefined ? 0 : far[k] / top;
        set(bar, { y: 1 - height, height, style: k === undefined ? null : `fill: rgb(${rgb([k]).join(" ")})` });
        names[i].textContent = k ?? "";
      });
      const points = order.map((k, i) => `L${i / order.length} ${1 - far[k] / highest}H${(i + 1) / order.length}`);
      set(area, { d: `M0 1${points.join("")}V1z` });
      below.textContent = `All ${order.length} codes by distance, from ${far[order[0]].toFixed(2)} to ${highest.toFixed(2)}`;
    }
    return Object.assign(node, { show });
  };
})();
