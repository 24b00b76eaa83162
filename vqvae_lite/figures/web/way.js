// The way of a picture through the model, one station at a time, and the gradient's way back.
//
// way(stations, changed) is an element with .now(), the name of the station shown or null; and
// .tell(texts), a sentence for each name. changed() is called when the reader goes to another.
VQ.way = function (stations, changed) {
  "use strict";
  const { el, set } = VQ;
  const names = stations.map(([name]) => name);
  let at = -1;
  let texts = {};
  const chips = stations.map(([name, title], i) => el("button", {
    type: "button", id: `way-${name}`, class: "chip", click: () => go(at === i ? -1 : i),
  }, title));
  const between = chips.slice(1).map(() => el("span", { class: "arrow", "aria-hidden": "true" }, "\u2192"));
  const back = set(VQ.button("\u25c0", () => go(at - 1)), { id: "way-back", "aria-label": "Step back" });
  const on = set(VQ.button("Next step \u25b6", () => go(at + 1)), { id: "way-on" });
  const said = el("p", { class: "said", id: "way-said" });

  function go(i) {
    at = i < -1 ? names.length - 1 : i >= names.length ? -1 : i;
    show();
    changed();
    if (at >= 0) VQ.announce(said.textContent);
  }

  function show() {
    const backwards = names[at] === "back";
    chips.forEach((chip, i) => set(chip, { "aria-pressed": String(i === at) }));
    // The error's gradient comes back from the copy; the choice of a code has none to pass on, so it
    // is copied past that, to the encoder.
    const ways = { encoder: "copied", distances: "copied", codes: "back", decoder: "back" };
    between.forEach((arrow, i) => {
      const goes = backwards ? ways[names[i]] ?? "none" : "on";
      arrow.textContent = { on: "\u2192", back: "\u2190", copied: "\u21e0", none: "\u00b7" }[goes];
      set(arrow, { "data-goes": goes });
    });
    set(node, { "data-now": names[at] ?? "" });
    said.textContent = at < 0 ? texts.start : texts[names[at]];
  }

  const node = el("nav", { class: "way", "aria-label": "The way of the picture" },
    el("div", { class: "chips" }, ...chips.flatMap((chip, i) => (i ? [between[i - 1], chip] : [chip]))),
    el("div", { class: "steps" }, back, on, said));
  return Object.assign(node, {
    now: () => names[at] ?? null,
    tell: (sentences) => { texts = sentences; show(); },
  });
};
