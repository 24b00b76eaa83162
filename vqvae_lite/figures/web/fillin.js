// A map of codes that a prior fills in, one position after another, beside the picture that the
// decoder makes of it. At any position the reader may choose another code: what follows is drawn
// again. The dice of a position depend on the seed alone, so that nothing but the choice differs.
(function () {
  "use strict";
  const { el, set } = VQ;
  const { uniform, probabilities, draw } = VQ.dice;
  const decoder = VQ.decoder(VQ.data.decoder);
  const prior = VQ.prior(VQ.data.prior);
  const { values: encoded, shape: [FRAMES, ROWS, COLUMNS] } = VQ.unpack(VQ.data.codes);
  const colors = VQ.unpack(VQ.data.colors).values;
  const K = prior.count, PLACES = ROWS * COLUMNS, HALF = (ROWS >> 1) * COLUMNS;
  const TILES = Math.min(8, K);
  const PACE = 60; // positions in a second of Play
  const SLICE = 12; // ms of drawing codes between two pictures

  // ---- the map and what it follows from ----
  let { seed } = VQ.data, temperature = 1, learned = true, start = null; // start: a frame, or null
  const choices = new Map(); // the reader's: place -> code
  const learnedMap = prior.on(ROWS, COLUMNS), alike = new Float64Array(K);
  const map = new Int32Array(PLACES), nats = new Float64Array(PLACES);
  let filled = 0; // codes of the map that are there
  let goal = 0; // so many are to be there at once
  let playing = false, selected = null; // selected: a place, or null for the last one filled
  let before = null; // the map before the last choice, until what follows is drawn

  const givenCount = () => (start === null ? 0 : HALF);
  const busy = () => filled < goal;
  const at = () => Math.min(filled, selected ?? Math.max(0, filled - 1));
  const logitsAt = (place) => (learned ? learnedMap.logits(place) : alike);

  function fillNext() {
    const logits = logitsAt(filled), shares = probabilities(logits, 1);
    const given = filled < givenCount() ? encoded[start * PLACES + filled] : null;
    const code = choices.get(filled) ?? given ?? draw(
      temperature === 1 ? shares : probabilities(logits, temperature), uniform(seed, filled));
    map[filled] = code;
    nats[filled] = -Math.log(shares[code]);
    learnedMap.put(code);
    filled += 1;
  }

  function cut(place) {
    filled = place;
    learnedMap.back(place);
  }

  // Draws the map anew, as far as it was or as far as `to`.
  function redraw(to = Math.max(filled, goal)) {
    choices.clear();
    before = null;
    goal = Math.max(to, givenCount());
    cut(0);
    request();
  }

  function choose(i) {
    const place = at(), code = choice.ranked[i];
    if (busy() && place === filled) return; // the place looked at is yet to come
    goal = Math.max(filled, goal, place + 1);
    before = map.slice(0, goal);
    for (const other of [...choices.keys()]) if (other >= place) choices.delete(other);
    choices.set(place, code);
    [selected, playing] = [place, false];
    cut(place);
    request();
  }

  // Code after code, or, for a reader who wants no motion, all at once.
  function run() {
    playing = !VQ.still();
    if (!playing) goal = PLACES;
  }

  function select(place) {
    [selected, playing] = [Math.min(place, filled, PLACES - 1), false];
    before = null;
    request();
    if (place > filled) VQ.announce("That position waits for those before it: here is the next one.");
  }

  // ---- pictures ----
  const shape = { rows: ROWS, columns: COLUMNS };
  const rgb = (codes) => Uint8Array.from({ length: 3 * codes.length }, (_, i) => (
    colors[3 * codes[Math.floor(i / 3)] + (i % 3)]));
  const tint = (node, k) => set(node, { style: `background: rgb(${rgb([k]).join(" ")})` });

  const board = VQ.board({
    ...shape,
    attributes: {
      id: "map", tabindex: 0, role: "application", "aria-roledescription": "map of codes",
      "aria-label": `Map of ${COLUMNS} by ${ROWS} codes`, "aria-describedby": "told keys",
    },
  });
  board.listen({ point: () => {}, click: select, from: at, move: select, key: () => {} });
  const decoded = VQ.board(shape);
  set(decoded.canvas, { id: "decoded", role: "img", "aria-label": "The picture decoded from the map so far" });
  const shown = new Int32Array(PLACES).fill(-1); // what the decoder has of the map
  const paint = VQ.painter(decoder, shape, decoded.canvas);

  // ---- the codes to choose from, each with what the decoder paints for it ----
  const choice = VQ.codeChoice({ count: TILES, K, tint, choose });
  const stage = el("canvas", {});
  let paintTrial = null, patches = [], patchesOf = ""; // patches: those that still are to be painted

  function paintPatch(i) {
    paintTrial = paintTrial ?? VQ.painter(decoder, shape, stage);
    const place = at(), x = (place % COLUMNS) - 0.5, y = Math.floor(place / COLUMNS) - 0.5;
    paintTrial(shown.map((code, p) => (p === place ? choice.ranked[i] : code)), Math.max(filled, place + 1));
    const cell = stage.width / COLUMNS, canvas = choice.canvases[i];
    set(canvas, { width: 2 * cell, height: 2 * cell });
    canvas.getContext("2d").drawImage(stage, -x * cell, -y * cell);
  }

  // ---- controls ----
  const button = (id, text, act) => {
    const node = VQ.button(text, () => {
      if (node.getAttribute("aria-disabled") !== "true") act();
      request();
    });
    return set(node, { id });
  };
  const play = button("play", "Play", () => {
    if (playing || busy()) [playing, goal] = [false, filled];
    else {
      if (filled === PLACES) redraw(0);
      [selected, before] = [null, null];
      run();
    }
  });
  const step = button("step", "One step", () => {
    [playing, selected, before] = [false, null, null];
    goal = Math.min(PLACES, filled + 1);
  });
  const finish = button("finish", "Finish", () => {
    [playing, selected, before, goal] = [false, null, null, PLACES];
  });
  const fresh = button("new", "New map", () => {
    seed += 1;
    selected = null;
    redraw(0);
    run();
  });
  const seedText = el("span", { class: "number" });
  const warmth = VQ.slider({
    label: "Temperature", id: "temperature", min: 0.2, max: 1.5, step: 0.05, value: 1,
    show: (value) => value.toFixed(2),
    act: (value) => { temperature = value; redraw(); },
  });
  const priors = [["learned", true], ["uniform", false]].map(([name, value]) => (
    set(button(`prior-${name}`, name, () => { learned = value; redraw(); }), { value: name })));
  const starts = [null, ...Array(FRAMES).keys()].map((f) => {
    const canvas = el("canvas", { width: 1, height: 1 });
    const node = button(f === null ? "start-empty" : `start-${f}`, f === null ? "empty" : canvas, () => {
      [start, playing, selected] = [f, false, null];
      redraw(0);
    });
    return f === null ? node : set(node, { class: "half", "aria-label": `Upper half of frame ${f + 1}` });
  });
  const sheet = new Image();
  sheet.onload = () => starts.slice(1).forEach((node, f) => {
    const width = sheet.naturalWidth, height = sheet.naturalHeight / FRAMES;
    set(node.firstChild, { width, height }).getContext("2d").drawImage(sheet, 0, -f * height);
  });
  sheet.src = VQ.data.frames;

  VQ.root.addEventListener("keydown", (event) => {
    const i = Number(event.key) - 1;
    if (event.ctrlKey || event.metaKey || event.altKey || !choice.canvases[i]) return;
    choose(i);
    event.preventDefault();
  });

  // ---- in words ----
  const placeName = (i) => `Row ${Math.floor(i / COLUMNS) + 1}, column ${(i % COLUMNS) + 1}`;
  const told = el("p", { class: "told", id: "told" }), total = el("p", { class: "number", id: "total" });

  function sentence() {
    const place = at(), left = PLACES - filled;
    if (busy()) return `Drawing: ${filled} of ${PLACES} codes.`;
    if (playing) return `Each code is drawn given all those before it, row by row: ${filled} of ${PLACES}.`;
    if (before) {
      const after = filled - place - 1;
      const other = map.subarray(place + 1, filled).reduce((n, code, i) => n + (code !== before[place + 1 + i]), 0);
      return `You put code ${map[place]} at row ${Math.floor(place / COLUMNS) + 1}, column ${(place % COLUMNS) + 1}. ` +
        (after ? `Of the ${after} codes after it ${other} came out otherwise, with the same dice.` : "None follows yet.");
    }
    if (place === filled) return "Not drawn yet: these are the odds. Draw it with One step, or choose a code yourself.";
    if (left) return `${left} codes are still to be drawn. Choose another code at any position, and all after it is drawn again.`;
    return "The map is full. Choose another code at any position, and all after it is drawn again.";
  }

  function origin(place) {
    if (place === filled) return "Next to be drawn, given the codes before it.";
    return choices.has(place) ? "You chose" : place < givenCount() ? "Given:" : "Drawn:";
  }

  // ---- drawing ----
  let waiting = false, due = 0, last = null; // due: positions that Play still owes; last: when it paid

  function request() {
    if (!waiting) requestAnimationFrame(frame);
    waiting = true;
  }

  function frame(now) {
    waiting = false;
    const began = performance.now();
    due = playing && !busy() && last !== null ? Math.min(due + ((now - last) * PACE) / 1000, 4) : 0;
    last = playing ? now : null;
    while (busy() && performance.now() - began < SLICE) fillNext();
    for (; due >= 1 && filled < PLACES; due--) fillNext();
    if (filled === PLACES) playing = false;
    show();
    const still = !playing && !busy();
    while (still && patches.length && performance.now() - began < SLICE) paintPatch(patches.shift());
    if (!still || patches.length) request();
  }

  function show() {
    const place = at(), running = playing || busy();
    // While all that follows is drawn again the decoder keeps what was there, out of sight: what is
    // painted is painted once.
    shown.forEach((code, i) => { shown[i] = i < filled ? map[i] : busy() ? code : -1; });
    paint(shown, filled);
    board.color(rgb(map.subarray(0, filled)));
    board.mark({
      outlined: [...Array(Math.min(filled, givenCount())).keys()], dotted: [...choices.keys()], cursor: place,
    });
    decoded.mark({ cursor: place });

    const sharp = temperature === 1 ? "" : `, at temperature ${temperature.toFixed(2)}`;
    choice.show({
      heading: placeName(place), here: place < filled ? map[place] : null, said: origin(place),
      probabilities: probabilities(logitsAt(place), temperature),
      text: learned
        ? `The ${TILES} codes that the prior expects most here${sharp}. Choose one:`
        : `All codes are alike to the uniform prior. The first ${TILES}, to choose one:`,
    });
    const sum = map.subarray(0, filled).reduce((total, k, i) => total + (k + 1) * (i + 1), 0);
    const state = `seed ${seed}; temperature ${temperature.toFixed(2)}; prior ${learned ? "learned" : "uniform"}; ` +
      `start ${start ?? "empty"}; filled ${filled}; at ${place}; choices ${choices.size}; sum ${sum}`;
    if (state !== patchesOf) {
      patches = [...choice.ranked.keys()];
      choice.canvases.forEach((canvas) => set(canvas, { width: 1, height: 1 }));
      patchesOf = state;
    }
    set(choice.list, { class: running ? "choice running" : "choice" });

    const spent = nats.subarray(0, filled).reduce((a, b) => a + b, 0);
    total.textContent = filled
      ? `${filled} codes, ${spent.toFixed(0)} nats: ${(spent / filled).toFixed(2)} a code, ` +
        `where log ${K} = ${Math.log(K).toFixed(2)}${temperature === 1 ? "" : " (at temperature 1)"}`
      : `No code yet; log ${K} = ${Math.log(K).toFixed(2)} nats`;
    told.textContent = sentence();
    VQ.announce(`${told.textContent} ${choice.said()}`);
    play.textContent = running ? "Pause" : "Play";
    for (const node of [step, finish]) set(node, { "aria-disabled": String(filled === PLACES) });
    seedText.textContent = `seed ${seed}`;
    priors.forEach((node) => set(node, { "aria-pressed": String((node.value === "learned") === learned) }));
    starts.forEach((node, i) => set(node, { "aria-pressed": String((start ?? -1) === i - 1) }));
    VQ.state(`${state}; ${running ? "running" : "still"}`);
  }

  const group = (label, nodes) => el("div", { class: "row group", role: "group", "aria-label": label },
    el("span", { class: "label" }, label), ...nodes);
  VQ.root.append(
    group("Start", starts),
    el("div", { class: "row" }, group("Prior", priors), warmth),
    el("div", { class: "row" }, play, step, finish, fresh, seedText),
    told,
    el("div", { class: "layout" },
      el("figure", { class: "codes" }, board, el("figcaption", {}, "map of codes")),
      el("figure", { class: "picture" }, decoded, el("figcaption", {}, "decoded here"), total),
      choice.facts,
      choice.list),
    el("p", { class: "note" }, "A dot marks what you chose, a line surrounds what was given. Each position " +
      "has dice of its own, which the seed decides: drawn again, a map differs by your choice alone."),
    el("p", { class: "note", id: "keys" }, "Keys on the map: arrows move, with Shift by five; " +
      `1 to ${TILES} choose a code.`));
  goal = Math.round(0.45 * PLACES);
  while (busy()) fillNext();
  frame(performance.now());
})();
