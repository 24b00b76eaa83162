// A frame, its map of codes and the picture that the decoder makes of the map: point at a code to
// see what it stands for, or put other codes in its place and see the picture change.
(function () {
  "use strict";
  const { el, set } = VQ;
  const decoder = VQ.decoder(VQ.data.decoder);
  const { values: encoded, shape: [FRAMES, ROWS, COLUMNS] } = VQ.unpack(VQ.data.codes);
  const colors = VQ.unpack(VQ.data.colors).values;
  const K = decoder.count, PLACES = ROWS * COLUMNS;
  const decode = decoder.on(ROWS, COLUMNS);
  const everywhere = { x0: 0, x1: COLUMNS - 1, y0: 0, y1: ROWS - 1 };

  // Where each code stands in the frames as the encoder read them: frame by frame, row by row.
  const uses = Array.from({ length: K }, () => []);
  encoded.forEach((code, i) => uses[code].push(i));

  // ---- what the reader has done ----
  const maps = Array.from({ length: FRAMES }, (_, f) => encoded.slice(f * PLACES, (f + 1) * PLACES));
  const histories = maps.map(() => []); // of each frame: strokes, as Maps of place -> code before
  let frame = VQ.data.chosen, mode = "look";
  let cursor = (ROWS >> 2) * COLUMNS + (COLUMNS >> 2), hover = null; // places on the map
  let stroke = null; // the one not yet in the history
  let notice = ""; // why a click has changed nothing
  const asEncoded = () => encoded.subarray(frame * PLACES, (frame + 1) * PLACES);

  const number = (n) => n.toLocaleString("en");
  const placeName = (i) => `row ${Math.floor(i / COLUMNS) + 1}, column ${(i % COLUMNS) + 1}`;
  const rgb = (codes) => Uint8Array.from({ length: 3 * codes.length }, (_, i) => (
    colors[3 * codes[Math.floor(i / 3)] + (i % 3)]));
  const pixels = ({ values }) => Uint8ClampedArray.from(values, (v) => (v + 1) * 127.5);
  const tint = (node, k) => set(node, { style: `background: rgb(${rgb([k]).join(" ")})` });

  // ---- pictures ----
  const shape = { rows: ROWS, columns: COLUMNS };
  const original = VQ.board(shape), decoded = VQ.board(shape), difference = VQ.board(shape);
  const apart = el("span", { class: "number" });
  const time = el("span", { class: "number" });
  set(original.canvas, { role: "img", "aria-label": "The frame" });
  set(difference.canvas, { id: "difference", role: "img", "aria-label": "Where the two differ" });
  set(decoded.canvas, { id: "decoded", role: "img", "aria-label": "The picture decoded from the map" });

  // The frames come one below the other in one picture, which takes a moment to unpack.
  const sheet = new Image();
  let height = 0, width = 0; // of a frame
  sheet.onload = () => {
    width = sheet.naturalWidth;
    height = sheet.naturalHeight / FRAMES;
    thumbnails.forEach((button, f) => crop(button.firstChild, f, 0, 0, width, height));
    crop(original.canvas, frame, 0, 0, width, height);
    card.refresh();
    request(everywhere);
  };
  sheet.src = VQ.data.frames;

  // Copies a part of a frame; what would lie outside the frame stays clear.
  function crop(canvas, f, x, y, w, h) {
    set(canvas, { width: w, height: h });
    const left = Math.max(0, x), top = Math.max(0, y);
    const across = Math.min(width, x + w) - left, down = Math.min(height, y + h) - top;
    canvas.getContext("2d").drawImage(
      sheet, left, f * height + top, across, down, left - x, top - y, across, down);
  }

  // Where the decoded picture differs from the frame, channels averaged: black is equal, and white
  // a third of the whole scale or more.
  const reader = el("canvas", {}).getContext("2d", { willReadFrequently: true });
  function compare({ width: w, height: h }, made) {
    if (!width) return; // the frames have not come yet
    crop(reader.canvas, frame, 0, 0, w, h);
    const { data } = reader.getImageData(0, 0, w, h);
    const heat = new Uint8ClampedArray(3 * w * h);
    let sum = 0;
    for (let i = 0; i < w * h; i++) {
      let off = 0;
      for (let c = 0; c < 3; c++) off += Math.abs(data[4 * i + c] - made[3 * i + c]) / 3;
      sum += off;
      const share = off / 85;
      heat.set([255 * share, 255 * share * share, 255 * (share - 0.6) * 2.5], 3 * i);
    }
    VQ.paint(difference.canvas, heat, w, h);
    apart.textContent = `, ${(sum / (w * h)).toFixed(1)} of 255 on average`;
  }

  // What a code stands for: 3 x 3 places of the frames, with a use of the code in the middle.
  function around(canvas, use) {
    const f = Math.floor(use / PLACES), place = use % PLACES, cell = width / COLUMNS;
    const left = ((place % COLUMNS) - 1) * cell, top = (Math.floor(place / COLUMNS) - 1) * cell;
    crop(canvas, f, left, top, 3 * cell, 3 * cell);
  }
  const card = VQ.codeCard({ decoder, uses, pixels, tint, around });
  const palette = VQ.palette({ decoder, uses, rgb, tint, changed: request });

  const thumbnails = maps.map((_, f) => el("button", {
    type: "button", id: `frame-${f}`, "aria-label": `Frame ${f + 1} of ${FRAMES}`,
    click: () => openFrame(f),
  }, el("canvas", { width: 1, height: 1 })));
  const frames = el("div", { class: "frames", role: "group", "aria-label": "Frames" }, ...thumbnails);
  VQ.arrowKeys(frames, (dx, dy) => {
    openFrame((frame + dx - dy + FRAMES) % FRAMES);
    thumbnails[frame].focus();
  });

  function openFrame(f) {
    keep();
    frame = f;
    if (width) crop(original.canvas, frame, 0, 0, width, height);
    request(everywhere);
  }

  // ---- the map, and the three things a click on it can do ----
  const MODES = {
    look: ["Look", "Point at a square to see what its code stands for. A click takes it in hand:"],
    paint: ["Paint", "Click or drag: the squares you touch get the code in hand,"],
    replace: ["Replace all", "Click on a square: all squares with its code get the code in hand,"],
  };
  const modeButtons = Object.entries(MODES).map(([name, [title]]) => set(
    VQ.button(title, () => { [mode, notice] = [name, ""]; request(); }), { id: `mode-${name}`, value: name }));
  const hintText = el("span", {}), hintHand = el("b", {}), hintSwatch = el("span", { class: "swatch" });
  const hint = el("p", { class: "hint", id: "hint" }, hintText, " ",
    el("span", { class: "hand" }, hintSwatch, " ", hintHand));
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
      const code = maps[frame][i], count = places(code).length;
      VQ.announce(`${placeName(i)}: code ${code}, at ${count} of the places here.`);
    },
    key: (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key === "z") undo();
      else if (event.ctrlKey || event.metaKey || event.altKey) return;
      else if (event.key === "Enter" || event.key === " ") act(cursor);
      else if (event.key.toLowerCase() === "p") palette.take(maps[frame][cursor]);
      else return;
      event.preventDefault();
    },
    paints: () => mode === "paint",
    paint: (i) => {
      [cursor, hover] = [i, null];
      put([i], () => palette.hand);
    },
    painted: keep,
  });

  const places = (code) => [...maps[frame].keys()].filter((i) => maps[frame][i] === code);

  function act(i) {
    [cursor, hover] = [i, null];
    const code = maps[frame][i];
    notice = "";
    if (mode === "look") palette.take(code);
    else if (!finish(mode === "paint" ? [i] : places(code), () => palette.hand)) {
      notice = `Code ${code} is the one in hand: take another, by Look or from the palette.`;
      VQ.announce(notice);
    }
  }

  // Puts codeAt(place) in each of the places, and notes in the stroke what was there before.
  function put(list, codeAt) {
    const map = maps[frame];
    stroke = stroke ?? new Map();
    for (const i of list) {
      const code = codeAt(i), x = i % COLUMNS, y = Math.floor(i / COLUMNS);
      if (map[i] === code) continue;
      if (!stroke.has(i)) stroke.set(i, map[i]);
      map[i] = code;
      request({ x0: x, x1: x, y0: y, y1: y });
    }
  }

  // A stroke of its own, all at once.
  function finish(list, codeAt) {
    keep();
    put(list, codeAt);
    const changed = stroke.size;
    VQ.announce(`${changed} codes changed.`);
    keep();
    return changed;
  }

  function join(box, more) {
    for (const low of ["x0", "y0"]) box[low] = Math.min(box[low], more[low]);
    for (const high of ["x1", "y1"]) box[high] = Math.max(box[high], more[high]);
    return box;
  }

  function keep() {
    if (stroke?.size) histories[frame].push(stroke);
    stroke = null;
    request();
  }

  function undo() {
    keep();
    const last = histories[frame].pop();
    if (!last) return;
    put(last.keys(), (i) => last.get(i));
    VQ.announce(`${stroke.size} codes changed back.`);
    stroke = null;
  }

  function reset() {
    finish(maps[frame].keys(), (i) => asEncoded()[i]);
  }

  // A button that does nothing is dimmed but keeps the keyboard's focus.
  const undoButton = set(VQ.button("Undo", undo), { id: "undo" });
  const resetButton = set(VQ.button("Reset", reset), { id: "reset" });
  const changes = el("span", { class: "label number" });

  // ---- drawing ----
  let waiting = false, box = null; // box: the places that are still to be decoded

  function request(more = null) {
    if (more) box = box ? join(box, more) : { ...more };
    if (!waiting) requestAnimationFrame(draw);
    waiting = true;
  }

  function draw() {
    waiting = false;
    const map = maps[frame];
    if (box) {
      const start = performance.now(), picture = decode(map, box);
      time.textContent = `, ${(performance.now() - start).toFixed(0)} ms`;
      const made = pixels(picture);
      VQ.paint(decoded.canvas, made, picture.width, picture.height);
      compare(picture, made);
      board.color(rgb(map));
      box = null;
    }

    // What the mouse points at goes before what the keyboard is at.
    const inPalette = hover === null ? palette.pointed() : null;
    const place = inPalette === null ? hover ?? cursor : null;
    const code = inPalette ?? map[place];
    const here = places(code);
    const read = uses[code].filter((use) => Math.floor(use / PLACES) === frame).map((use) => use % PLACES);
    const count = map.reduce((sum, k, i) => sum + (k !== asEncoded()[i]), 0);
    const pointing = hover !== null || inPalette !== null || board.matches(":focus-visible");
    const veiled = pointing && mode !== "paint";
    board.mark({ outlined: here, veiled, cursor: place });
    original.mark({ outlined: read, veiled, cursor: place });
    decoded.mark({ cursor: place });
    palette.mark(code);

    card.show(code, `${number(here.length)} of the ${number(PLACES)} places here, ` +
      `${number(uses[code].length)} of ${number(encoded.length)} in all ${FRAMES} frames.`);
    hintText.textContent = MODES[mode][1];
    hintHand.textContent = `code ${palette.hand}`;
    tint(hintSwatch, palette.hand);
    board.style.touchAction = mode === "paint" ? "none" : "auto";
    changes.textContent = notice || (count ? `${number(count)} of ${number(PLACES)} codes changed` : "");
    thumbnails.forEach((button, f) => set(button, {
      "aria-pressed": String(f === frame), tabindex: f === frame ? 0 : -1,
    }));
    modeButtons.forEach((button) => set(button, { "aria-pressed": String(button.value === mode) }));
    set(undoButton, { "aria-disabled": String(!histories[frame].length) });
    set(resetButton, { "aria-disabled": String(!count) });
    VQ.state(`frame ${frame}; ${mode}; cursor ${cursor}; code ${code}; hand ${palette.hand}; ` +
      `changed ${count}; sum ${map.reduce((sum, k, i) => sum + k * (i + 1), 0)}`);
  }

  VQ.root.append(
    el("p", { class: "note" }, "Each square of the map is a code: the number of a vector. Point at one " +
      "to see what it stands for. Take one in hand, choose Paint and draw with it: the model\u2019s own " +
      "decoder runs in this page."),
    frames,
    el("div", { class: "layout" },
      el("div", { class: "pictures" },
        el("figure", { class: "large" }, decoded, el("figcaption", {}, "decoded here", time)),
        el("figure", {}, original, el("figcaption", {}, "frame")),
        el("figure", {}, difference, el("figcaption", {}, "difference", apart))),
      el("div", { class: "edit" },
        el("div", { class: "modes", role: "group", "aria-label": "What a click on the map does" },
          ...modeButtons),
        hint, board,
        el("div", { class: "row tools" }, undoButton, resetButton, changes),
        el("p", { class: "note", id: "keys" }, "Keys on the map: arrows move, Enter does what a click " +
          "does, P takes a code in hand, Ctrl+Z undoes.")),
      card,
      palette));
  palette.take(uses.reduce((best, list, k) => (list.length > uses[best].length ? k : best), 0));
  request(everywhere);
  draw();
})();
