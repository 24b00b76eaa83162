// A film that goes on as the reader chooses: frames that were seen, then those that were imagined for
// the actions chosen so far, out of a tree that holds them all. Each is a map of codes, decoded here.
(function () {
  "use strict";
  const { el, set } = VQ;
  const { names, depth: DEPTH } = VQ.data;
  const { values: seen, shape: [SEEN, ROWS, COLUMNS] } = VQ.unpack(VQ.data.seen);
  const { values: futures, shape: [, STEP] } = VQ.unpack(VQ.data.futures);
  const colors = VQ.unpack(VQ.data.colors).values;
  const PLACES = ROWS * COLUMNS, ACTIONS = names.length;
  const END = "The tree ends here: go back, or start again.";
  const PACE = 140; // ms between two frames
  const ARROWS = { forward: "ArrowUp", left: "ArrowLeft", right: "ArrowRight" };
  const GLYPHS = { forward: "\u2191", left: "\u2190", right: "\u2192" };

  let path = []; // the actions chosen
  let at = SEEN - 1; // the frame that shows
  let playing = null; // the timer of the film

  const last = () => SEEN - 1 + STEP * path.length;

  // Where the frames of a path of choices stand in the tree: level after level.
  function node(choices) {
    let before = 0, place = 0;
    choices.forEach((action, level) => {
      before += level ? ACTIONS ** level : 0;
      place = place * ACTIONS + action;
    });
    return before + place;
  }

  function codesAt(frame) {
    if (frame < SEEN) return seen.subarray(frame * PLACES, (frame + 1) * PLACES);
    const level = Math.floor((frame - SEEN) / STEP), within = (frame - SEEN) % STEP;
    const start = (node(path.slice(0, level + 1)) * STEP + within) * PLACES;
    return futures.subarray(start, start + PLACES);
  }

  // ---- what the reader does ----
  function pause() {
    clearTimeout(playing);
    playing = null;
  }

  function tick() {
    playing = at < last() ? setTimeout(() => { at += 1; tick(); }, PACE) : null;
    show();
  }

  function run(from) {
    pause();
    at = VQ.still() ? last() : from;
    tick();
  }

  function choose(action) {
    if (path.length === DEPTH) {
      VQ.announce(END);
      return;
    }
    path = [...path, action];
    run(Math.min(at + 1, last() - STEP + 1));
  }

  function back() {
    if (!path.length) return;
    pause();
    path = path.slice(0, -1);
    at = last();
    show();
  }

  function go(choices) {
    const same = choices.findIndex((action, i) => path[i] !== action);
    const kept = same < 0 ? choices.length : same;
    path = choices;
    run(Math.min(SEEN - 1 + STEP * kept + 1, last()));
  }

  function seek(frame) {
    pause();
    at = frame;
    show();
  }

  // ---- parts ----
  const button = (id, text, act) => set(VQ.button(text, act), { id });
  const actions = names.map((name, action) => button(
    `action-${action}`, `${GLYPHS[name] ?? action + 1} ${name}`, () => choose(action)));
  const undo = button("back", "\u2193 back", back);
  const again = button("again", "Start again", () => { path = []; run(0); });
  const replay = button("replay", "Play from the start", () => run(0));

  const picture = el("canvas", {});
  const paint = VQ.painter(VQ.decoder(VQ.data.decoder), { rows: ROWS, columns: COLUMNS }, picture);
  const film = el("div", {
    id: "film", tabindex: 0, role: "group",
    "aria-label": "The film: arrow keys choose what is done", "aria-describedby": "told",
  }, picture);
  const map = VQ.board({ rows: ROWS, columns: COLUMNS, attributes: { id: "map", "aria-hidden": "true" } });
  const badge = el("span", { class: "badge" });
  const told = el("p", { class: "told", id: "told" });
  const time = VQ.slider({
    label: "Frame", id: "frame", min: 1, max: SEEN, value: SEEN, act: (value) => seek(value - 1),
    show: (value) => `${value} of ${last() + 1}`,
  });

  film.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const byArrow = names.findIndex((name) => ARROWS[name] === event.key);
    const action = byArrow >= 0 ? byArrow : Number(event.key) - 1;
    if (event.key === "ArrowDown" || event.key === "Backspace") back();
    else if (event.key === "Home") run(0);
    else if (names[action] !== undefined) choose(action);
    else return;
    event.preventDefault();
  });

  // The tree as lines from level to level; a click on a place walks there. Left stands at the left.
  const WIDTH = 720, HEIGHT = 150, MARGIN = 10;
  const SIDES = { left: -1, right: 1 };
  const order = [...names.keys()].sort((a, b) => (SIDES[names[a]] ?? 0) - (SIDES[names[b]] ?? 0));
  const spot = (choices) => {
    const share = choices.reduce((sum, action, i) => sum + order.indexOf(action) / ACTIONS ** (i + 1), 0);
    const level = choices.length;
    return [
      WIDTH * (share + 0.5 / ACTIONS ** level),
      MARGIN + ((HEIGHT - 2 * MARGIN) * level) / DEPTH,
    ];
  };
  const lines = el("g", {}), dots = el("g", {}), trail = el("path", { class: "trail" });
  const here = el("circle", { class: "here", r: 6 });
  const tree = el("svg", { id: "tree", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" },
    lines, trail, dots, here);
  (function grow(choices) {
    const [x, y] = spot(choices);
    dots.append(el("circle", {
      cx: x, cy: y, r: Math.max(2, 5 - choices.length), class: "dot", click: () => go(choices),
    }));
    if (choices.length === DEPTH) return;
    names.forEach((_, action) => {
      const next = [...choices, action], [u, v] = spot(next);
      lines.append(el("path", { d: `M${x} ${y}L${u} ${v}` }));
      grow(next);
    });
  })([]);

  // ---- drawing ----
  function sentence() {
    const frame = `Frame ${at + 1}`;
    if (at < SEEN) {
      return `${frame} of ${SEEN} that were seen, as its codes have it. ` +
        (path.length ? "" : "Choose what is done next.");
    }
    const level = Math.floor((at - SEEN) / STEP) + 1;
    const done = path.slice(0, level).map((action) => names[action]).join(", ");
    return `${frame}, imagined: ${at - SEEN + 1} after the last one seen, by ${done}. ` +
      (at === last() && path.length === DEPTH ? END : "");
  }

  function show() {
    const codes = codesAt(at);
    paint(codes, PLACES);
    map.color(Uint8Array.from({ length: 3 * PLACES }, (_, i) => colors[3 * codes[Math.floor(i / 3)] + (i % 3)]));
    const imagined = at >= SEEN;
    badge.textContent = imagined ? "imagined" : "seen";
    set(film, { class: imagined ? "imagined" : "seen" });
    set(time.input, { max: last() + 1 });
    time.input.value = at + 1;
    time.refresh();
    told.textContent = sentence();
    VQ.announce(told.textContent);
    for (const node of actions) set(node, { "aria-disabled": String(path.length === DEPTH) });
    set(undo, { "aria-disabled": String(path.length === 0) });
    const level = Math.max(0, Math.ceil((at - SEEN + 1) / STEP));
    const points = path.map((_, i) => spot(path.slice(0, i + 1)));
    set(trail, { d: [spot([]), ...points].map(([x, y], i) => `${i ? "L" : "M"}${x} ${y}`).join("") });
    const [x, y] = spot(path.slice(0, level));
    set(here, { cx: x, cy: y });
    VQ.state(`frame ${at + 1} of ${last() + 1}; path ${path.map((a) => names[a]).join(",")}; ` +
      `sum ${codes.reduce((sum, k, i) => sum + (k + 1) * (i + 1), 0)}; ${playing ? "playing" : "still"}`);
  }

  VQ.root.append(
    el("div", { class: "layout" },
      el("figure", { class: "picture" }, film, el("figcaption", {}, "decoded here: ", badge)),
      el("figure", { class: "codes" }, map, el("figcaption", {}, "its codes, all that is imagined"))),
    el("div", { class: "row", role: "group", "aria-label": "What is done next" }, ...actions, undo),
    told,
    el("div", { class: "row" }, time, replay, again),
    tree,
    el("p", { class: "note" }, `All ${dots.childNodes.length - 1} places of the tree, from the last frame ` +
      `seen at the top; each choice lasts ${STEP} frames. A click on a place walks there.`),
    el("p", { class: "note", id: "keys" }, `Keys, once you have clicked the picture or come to it with Tab: ${names.map((name, action) => (
      ARROWS[name] ? `${GLYPHS[name]} or ${action + 1} ${name}` : `${action + 1} ${name}`)).join(", ")}, ` +
      "\u2193 back, Home from the start."));
  show();
})();
