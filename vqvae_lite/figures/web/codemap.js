// A picture, its map of codes and the picture that the decoder makes of the map. The whole model
// runs here: it takes frames and pictures of the reader's own; one may go its way step by step, see
// what a code stands for, put other codes in its place, and see what that changes.
(function () {
  "use strict";
  const { el, set } = VQ;
  const [FRAMES, HEIGHT, WIDTH] = VQ.data.size;
  const MOST = 6; // pictures of the reader's own that are kept
  const models = VQ.data.models.map((data) => Object.assign(VQ.vqvae(data, { height: HEIGHT, width: WIDTH }), {
    colors: VQ.unpack(data.colors).values, atlas: VQ.unpack(data.atlas).values,
  }));
  const [{ rows: ROWS, columns: COLUMNS }] = models, PLACES = ROWS * COLUMNS;
  const pixels = VQ.pixels({ width: WIDTH, height: HEIGHT, rows: ROWS, columns: COLUMNS });
  const everywhere = { x0: 0, x1: COLUMNS - 1, y0: 0, y1: ROWS - 1 };

  // ---- what the reader has done ----
  const scenes = []; // {name, own, pixels, model, views: for each model what `view` makes, or none}
  let current = VQ.data.chosen, mode = "look", against = "picture";
  let cursor = (ROWS >> 2) * COLUMNS + (COLUMNS >> 2), hover = null; // places on the map
  let blend = null; // {code, share}: all places of a code on their way to the code in hand
  let notice = ""; // why a click has changed nothing
  const scene = () => scenes[current];
  const model = () => models[scene().model];

  // What a model makes of a picture: its codes, the map that the reader may change, the vectors; and
  // how many milliseconds encoding and decoding took.
  function view(which = scene(), index = which.model) {
    if (!which.views[index]) {
      models[index].prepare();
      const start = performance.now(), { codes, vectors } = models[index].encode(which.pixels);
      const took = { encoder: performance.now() - start, decoder: 0 };
      which.views[index] = { codes, vectors, map: codes.slice(), history: [], plain: null, took };
    }
    return which.views[index];
  }
  const milliseconds = (time) => `, ${time.toFixed(0)} ms`;

  const number = (n) => n.toLocaleString("en");
  const placeName = (i) => `row ${Math.floor(i / COLUMNS) + 1}, column ${(i % COLUMNS) + 1}`;

  // ---- pictures ----
  const shape = { rows: ROWS, columns: COLUMNS };
  const [original, decoded, difference] = [1, 2, 3].map(() => VQ.board(shape));
  const channels = el("canvas", { id: "channels", role: "img" });
  const apart = el("span", { class: "number" }), time = el("span", { class: "number" });
  const took = el("span", { class: "number" });
  set(original.canvas, { id: "original", role: "img", "aria-label": "The picture" });
  set(difference.canvas, { id: "difference", role: "img", "aria-label": "Where the two differ" });
  set(decoded.canvas, { id: "decoded", role: "img", "aria-label": "The picture decoded from the map" });
  const panel = (name, node, ...caption) => el("figure", { class: "panel", "data-panel": name }, node,
    el("figcaption", {}, ...caption));

  // ---- each model's codes ----
  // What a code stands for: 3 x 3 places of a picture, with a use of the code in the middle.
  function around(canvas, { pixels: picture }, place) {
    const [w, h] = [WIDTH / COLUMNS, HEIGHT / ROWS];
    const left = ((place % COLUMNS) - 1) * w, top = (Math.floor(place / COLUMNS) - 1) * h;
    pixels.crop(canvas, picture, left, top, 3 * w, 3 * h);
  }
  const parts = models.map((each, index) => VQ.codeParts(each, { scenes, index, around, changed: () => request() }));
  const part = () => parts[scene().model];
  const edits = VQ.mapEdits(() => view(), (place) => {
    const x = place % COLUMNS, y = Math.floor(place / COLUMNS);
    request(place === undefined ? null : { x0: x, x1: x, y0: y, y1: y });
  });

  // ---- choosing a picture and a model ----
  const thumbnails = el("div", { class: "frames", role: "group", "aria-label": "Pictures" });
  VQ.arrowKeys(thumbnails, (dx, dy) => {
    open((current + dx - dy + scenes.length) % scenes.length);
    thumbnails.children[current].focus();
  });
  const modelChoice = el("select", { id: "model", change: () => choose(modelChoice.selectedIndex) },
    ...models.map(({ name }) => el("option", {}, name)));
  const sources = VQ.sources({
    height: HEIGHT, width: WIDTH, got, area: VQ.root,
    beside: models.length > 1 ? [el("label", { class: "row" }, "Model", modelChoice)] : [],
  });

  function thumbnail(which) {
    const s = scenes.indexOf(which);
    const button = thumbnails.children[s] ?? thumbnails.appendChild(
      el("button", { type: "button", id: `frame-${s}`, click: () => { sources.stop(); open(s); } }, el("canvas", {})));
    pixels.crop(button.firstChild, which.pixels, 0, 0, WIDTH, HEIGHT);
    set(button, { "aria-label": which.own ? which.name : `Frame ${s + 1} of ${FRAMES}` });
  }

  // A picture of the reader's own: the newest take the place of the oldest.
  let given = 0;
  function got(picture, name, again) {
    const own = scenes.filter((each) => each.own);
    const which = { name, own: true, pixels: picture, model: again ? scene().model : models.length - 1, views: [] };
    let place = again ? current : scenes.length;
    if (!again && own.length === MOST) place = FRAMES + (given % MOST);
    if (!again) given += 1;
    scenes[place] = which;
    thumbnail(which);
    open(place, again);
  }

  function open(s, again = false) {
    if (!again) edits.keep();
    [current, blend] = [s, null];
    pixels.crop(original.canvas, scene().pixels, 0, 0, WIDTH, HEIGHT);
    begin(again);
  }

  function choose(index) {
    edits.keep();
    [scene().model, blend] = [index, null];
    begin(false);
  }

  // Encodes the picture by its model, if that has not been done, and shows what that gives.
  function begin(again) {
    took.textContent = milliseconds(view().took.encoder);
    pixels.paintChannels(channels, view().vectors);
    if (!again) {
      part().count();
      slots.forEach(([slot, name]) => slot.replaceChildren(part()[name]));
      if (part().palette.hand === undefined) part().palette.take(view().codes[cursor]);
    }
    modelChoice.selectedIndex = scene().model;
    request(everywhere);
  }

  // ---- the map, and what a click on it can do ----
  const MODES = {
    look: ["Look", "Point at a square to see what its code stands for. A click takes it in hand:"],
    paint: ["Paint", "Click or drag: the squares you touch get the code in hand,"],
    replace: ["Replace all", "Click on a square: all squares with its code get the code in hand,"],
    morph: ["Morph", "Click on a square, and move the slider: its code\u2019s vector turns into that in hand,"],
  };
  const modeButtons = Object.entries(MODES).map(([name, [title]]) => set(VQ.button(title, () => {
    [mode, notice] = [name, ""];
    if (blend) request(everywhere);
    blend = null;
    request();
  }), { id: `mode-${name}`, value: name }));
  const hintText = el("span", {}), hintHand = el("b", {}), hintSwatch = el("span", { class: "swatch" });
  const hint = el("p", { class: "hint", id: "hint" }, hintText, " ",
    el("span", { class: "hand" }, hintSwatch, " ", hintHand));
  const morph = VQ.slider({
    label: "On the way", id: "share", min: 0, max: 100, value: 0, show: (v) => `${v} %`,
    act: (v) => { if (blend) { blend.share = v / 100; request(everywhere); } },
  });
  const midway = el("span", { class: "label number", id: "midway" });
  const morphRow = el("div", { class: "row", hidden: true }, morph, midway);
  const board = VQ.board({
    ...shape,
    attributes: {
      id: "map", tabindex: 0, role: "application", "aria-roledescription": "map of codes",
      "aria-label": `Map of ${COLUMNS} by ${ROWS} codes`, "aria-describedby": "hint keys",
    },
  });
  board.listen({
    point: (i) => { hover = i; request(); },
    click: act,
    from: () => cursor,
    move: (i) => {
      [cursor, hover] = [i, null];
      request();
      const code = view().map[i], count = places(code).length;
      VQ.announce(`${placeName(i)}: code ${code}, at ${count} of the places here.`);
    },
    key: (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key === "z") edits.undo();
      else if (event.ctrlKey || event.metaKey || event.altKey) return;
      else if (event.key === "Enter" || event.key === " ") act(cursor);
      else if (event.key.toLowerCase() === "p") part().palette.take(view().map[cursor]);
      else return;
      event.preventDefault();
    },
    paints: () => mode === "paint",
    paint: (i) => {
      [cursor, hover] = [i, null];
      edits.put([i], () => part().palette.hand);
    },
    painted: edits.keep,
  });

  const places = (code) => [...view().map.keys()].filter((i) => view().map[i] === code);

  function act(i) {
    [cursor, hover] = [i, null];
    const code = view().map[i], { palette } = part();
    notice = "";
    if (mode === "look") palette.take(code);
    else if (mode === "morph") {
      blend = { code, share: 0 };
      morph.input.value = 0;
      morph.refresh();
      request(everywhere);
    } else if (!edits.finish(mode === "paint" ? [i] : places(code), () => palette.hand)) {
      notice = `Code ${code} is the one in hand: take another, by Look or from the palette.`;
      VQ.announce(notice);
    }
  }

  // A button that does nothing is dimmed but keeps the keyboard's focus.
  const undoButton = set(VQ.button("Undo", edits.undo), { id: "undo" });
  const resetButton = set(VQ.button("Reset", edits.reset), { id: "reset" });
  const changes = el("span", { class: "label number" });
  const difChoice = el("select", { id: "against", "aria-label": "Difference", change: () => {
    against = difChoice.value;
    request(everywhere);
  } }, el("option", { value: "picture" }, "difference"), el("option", { value: "before" }, "your changes"));

  // ---- step by step ----
  const way = VQ.way([
    ["picture", "picture"], ["encoder", "encoder"], ["distances", "distances"], ["codes", "nearest codes"],
    ["decoder", "decoder"], ["difference", "difference"], ["back", "gradient"],
  ], () => request());
  const missions = VQ.missions(VQ.codeMissions({ WIDTH, HEIGHT, PLACES, COLUMNS, models, psnr: pixels.psnr }), () => request());

  // ---- drawing ----
  let waiting = false, box = null; // box: the places that are still to be decoded

  function request(more = null) {
    if (more) {
      box = box ?? { ...more };
      for (const low of ["x0", "y0"]) box[low] = Math.min(box[low], more[low]);
      for (const high of ["x1", "y1"]) box[high] = Math.max(box[high], more[high]);
    }
    if (!waiting && scenes.length) requestAnimationFrame(draw);
    waiting = scenes.length > 0;
  }

  let made = null, off = null; // the picture decoded, and how far it is off
  let stale = true; // whether the decoder has last seen another map than this one
  function decode() {
    const { map, codes } = view(), { decoder } = model(), { hand } = part().palette;
    const start = performance.now();
    if (!view().plain) {
      view().plain = model().decode(codes);
      view().took.decoder = performance.now() - start;
    }
    if (blend) {
      // A number that no code has stands for the vector between two.
      const [from, to] = [decoder.vector(blend.code), decoder.vector(hand)];
      const between = from.map((v, i) => v + blend.share * (to[i] - v));
      const shown = map.map((code) => (code === blend.code ? decoder.count : code));
      made = model().decode(shown, everywhere, (k) => (k === decoder.count ? between : decoder.vector(k)));
      const far = model().distances(between), nearest = far.indexOf(Math.min(...far));
      midway.textContent = `nearest code: ${nearest}`;
      stale = true;
    } else if (map.every((code, i) => code === codes[i])) [made, stale] = [view().plain, true];
    else [made, stale] = [model().decode(map, stale ? everywhere : box), false];
    time.textContent = milliseconds(made === view().plain ? view().took.decoder : performance.now() - start);
    VQ.paint(decoded.canvas, made, WIDTH, HEIGHT);
    off = pixels.paintDifference(difference.canvas, against === "picture" ? scene().pixels : view().plain, made);
    apart.textContent = against === "picture"
      ? `${off.mean.toFixed(1)} of 255 on average` : `${number(off.changed)} pixels changed`;
    board.color(part().rgb(map));
    box = null;
  }

  function draw() {
    waiting = false;
    const { map, codes, vectors } = view(), { card, palette, uses, tint, distances } = part();
    if (box) decode();

    // What the mouse points at goes before what the keyboard is at.
    const inPalette = hover === null ? palette.pointed() : null;
    const place = inPalette === null ? hover ?? cursor : null;
    const code = inPalette ?? map[place];
    const here = places(code);
    const read = part().placesIn(code, current);
    const count = map.reduce((sum, k, i) => sum + (k !== codes[i]), 0);
    const pointing = hover !== null || inPalette !== null || board.matches(":focus-visible");
    const veiled = pointing && mode !== "paint";
    board.mark({ outlined: here, veiled, cursor: place });
    original.mark({ outlined: read, veiled, cursor: place });
    decoded.mark({ cursor: place });
    difference.mark({ cursor: place });
    palette.mark(code);

    const of = scenes.filter((which) => which.views[scene().model]).length;
    card.show(code, `${number(here.length)} of the ${number(PLACES)} places here, ` +
      `${number(uses[code].length)} of ${number(of * PLACES)} in ${of === 1 ? "one picture" : `all ${of} pictures`}.`);
    const spot = place ?? cursor, size = vectors.length / PLACES;
    const far = model().distances(vectors.subarray(spot * size, (spot + 1) * size));
    distances.show(far, placeName(spot));
    hintText.textContent = MODES[mode][1];
    hintHand.textContent = `code ${palette.hand}`;
    tint(hintSwatch, palette.hand);
    morphRow.hidden = mode !== "morph";
    if (!blend) midway.textContent = "click on a square first";
    set(morph.input, { disabled: !blend });
    board.style.touchAction = mode === "paint" ? "none" : "auto";
    changes.textContent = notice || (count ? `${number(count)} of ${number(PLACES)} codes changed` : "");
    [...thumbnails.children].forEach((button, s) => set(button, {
      "aria-pressed": String(s === current), tabindex: s === current ? 0 : -1,
    }));
    modeButtons.forEach((button) => set(button, { "aria-pressed": String(button.value === mode) }));
    set(undoButton, { "aria-disabled": String(!view().history.length) });
    set(resetButton, { "aria-disabled": String(!count) });
    way.tell(VQ.stations({ WIDTH, HEIGHT, ROWS, COLUMNS, model: model(), place: placeName(spot), far, off, codes,
      psnr: pixels.psnr(scene().pixels, made) }));
    set(layout, { "data-now": way.now() });
    missions.look({ scene: scene(), view: view(), uses, made, count, hand: palette.hand, off, scenes });
    VQ.state(`frame ${current}; ${mode}; cursor ${cursor}; code ${code}; hand ${palette.hand}; ` +
      `changed ${count}; sum ${map.reduce((sum, k, i) => sum + k * (i + 1), 0)}; model ${scene().model}; ` +
      `step ${way.now() ?? "none"}; pictures ${scenes.length}; solved ${missions.solved()}`);
  }

  const slots = ["card", "palette", "distances"].map((name) => [el("div", { class: `slot-${name}` }), name]);
  const [[cardSlot], [paletteSlot], [distancesSlot]] = slots;
  const layout = el("div", { class: "layout" },
    el("div", { class: "pictures" },
      set(panel("decoder", decoded, "decoded here", time), { class: "panel large" }),
      panel("picture", original, "picture"),
      panel("encoder", channels, "encoder", took),
      set(panel("difference", difference, difChoice, " ", apart), { class: "panel" })),
    el("div", { class: "edit panel", "data-panel": "codes" },
      el("div", { class: "modes", role: "group", "aria-label": "What a click on the map does" }, ...modeButtons),
      hint, morphRow, board,
      el("div", { class: "row tools" }, undoButton, resetButton, changes),
      el("p", { class: "note", id: "keys" }, "Keys on the map: arrows move, Enter does what a click " +
        "does, P takes a code in hand, Ctrl+Z undoes.")),
    set(distancesSlot, { class: "slot panel", "data-panel": "distances" }),
    cardSlot, paletteSlot, missions);
  set(cardSlot, { class: "slot-card" });

  VQ.root.append(
    el("p", { class: "note" }, "The whole model runs in this page: choose a frame, or give it a picture of your " +
      "own, which nobody else will see. Each square of the map is a code: the number of a vector."),
    thumbnails, sources, way, layout);

  // The frames come one below the other in one picture, which takes a moment to unpack.
  const sheet = new Image();
  sheet.onload = () => {
    pixels.read(sheet, FRAMES).forEach((picture, f) => {
      scenes.push({ name: `frame ${f + 1}`, own: false, pixels: picture, model: 0, views: [] });
      thumbnail(scenes[f]);
    });
    open(current);
    // The other frames are encoded once this one is there to be seen.
    setTimeout(() => {
      scenes.filter(({ own }) => !own).forEach((each) => view(each, 0));
      parts[0].count();
      if (mode === "look") parts[0].palette.take(parts[0].mostUsed());
      request();
    }, 50);
  };
  sheet.src = VQ.data.frames;
})();
