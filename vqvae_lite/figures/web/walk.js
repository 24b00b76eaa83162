// A walk that goes on for as long as the reader likes. After each action the dynamics model draws
// the codes of the next frame, here in the page, a row at a time, so that keys and buttons stay
// quick; an action that comes meanwhile waits until the frame is there. For as long as the actions
// are those of a recorded walk, what really came stands beside the film.
(function () {
  "use strict";
  const { el, set } = VQ;
  const { names, seen: SEEN } = VQ.data;
  const { values: recorded, shape: [WALKS, LENGTH, ROWS, COLUMNS] } = VQ.unpack(VQ.data.codes);
  const { values: taken } = VQ.unpack(VQ.data.actions);
  const colors = VQ.unpack(VQ.data.colors).values;
  const PLACES = ROWS * COLUMNS, shape = { rows: ROWS, columns: COLUMNS };
  const SLICE = 12; // ms of work between two looks at what the reader does
  const BAND = 3; // rows between two pictures of a frame that is being drawn
  const ARROWS = { forward: "ArrowUp", left: "ArrowLeft", right: "ArrowRight" };
  const GLYPHS = { forward: "\u2191", left: "\u2190", right: "\u2192" };
  const recordedMap = (walk, frame) => (
    recorded.subarray((walk * LENGTH + frame) * PLACES, (walk * LENGTH + frame + 1) * PLACES));
  const recordedAction = (walk, frame) => taken[walk * (LENGTH - 1) + frame]; // after that frame

  // ---- the film ----
  const model = VQ.dynamics(VQ.data.dynamics).on(ROWS, COLUMNS), decoder = VQ.decoder(VQ.data.decoder);
  let walk = 0, { seed } = VQ.data, temperature = 1, watched = true;
  let maps = [], actions = []; // one action after each map but the last
  let drawing = null; // the frame that is being drawn: {action, codes, there}
  let queued = null; // the action that waits for it
  let took = null; // ms that the last frame took

  const watching = () => watched && !VQ.still();
  const imagined = () => maps.length - SEEN;
  // Frames of the film whose actions are those of the recorded walk.
  function together() {
    const other = actions.findIndex((action, i) => i >= LENGTH - 1 || action !== recordedAction(walk, i));
    return other < 0 ? maps.length : other + 1;
  }
  const canFollow = () => together() === maps.length && maps.length < LENGTH;

  // The way back into the page's loop of events. Unlike a timer it is not held up.
  const channel = new MessageChannel();
  let resume = null;
  channel.port1.onmessage = () => resume();
  const breath = () => new Promise((done) => {
    resume = done;
    channel.port2.postMessage(null);
  });

  async function act(action) {
    if (drawing) {
      queued = action;
      show();
      return;
    }
    const mine = { action, codes: Int16Array.from(maps[maps.length - 1]), there: 0 };
    const from = [...maps], done = [...actions, action];
    drawing = mine;
    show();
    const started = performance.now();
    let since = 0, band = 0; // since 0: the first step is one look at the reader already
    for (const there of model.next(from, done, { codes: mine.codes, temperature, seed })) {
      mine.there = there;
      if (watching() && there - band >= BAND * COLUMNS) {
        band = there;
        draw();
        await new Promise(requestAnimationFrame);
        since = performance.now();
      } else if (performance.now() - since > SLICE) {
        await breath();
        since = performance.now();
      }
      if (drawing !== mine) return; // back to the start meanwhile
    }
    took = performance.now() - started;
    [maps, actions, drawing] = [[...maps, mine.codes], done, null];
    show();
    const next = queued;
    queued = null;
    if (next !== null) act(next);
  }

  function restart(from = walk) {
    [walk, drawing, queued, took] = [from, null, null, null];
    maps = Array.from({ length: SEEN }, (_, i) => recordedMap(walk, i));
    actions = Array.from({ length: SEEN - 1 }, (_, i) => recordedAction(walk, i));
    show();
  }

  function follow() {
    if (canFollow() && !drawing) act(recordedAction(walk, maps.length - 1));
    else VQ.announce(reason());
  }

  // ---- parts ----
  const button = (id, text, press) => set(VQ.button(text, press), { id });
  const moves = names.map((name, action) => button(
    `action-${action}`, `${GLYPHS[name] ?? action + 1} ${name}`, () => act(action)));
  const along = button("follow", "Follow the recorded walk", follow);
  const again = button("again", "Back to the start", () => restart());
  const live = button("live", "code by code", () => { watched = true; show(); });
  const finished = button("finished", "finished frames", () => { watched = false; show(); });
  const warmth = VQ.slider({
    label: "Temperature", id: "temperature", min: 0.2, max: 1.5, step: 0.05, value: 1,
    show: (value) => value.toFixed(2), act: (value) => { temperature = value; show(); },
  });
  const dice = VQ.slider({
    label: "Seed", id: "seed", min: 0, max: 99, value: seed, act: (value) => { seed = value; show(); },
  });

  const painterOf = (canvas) => VQ.painter(decoder, shape, canvas);
  const picture = el("canvas", { role: "img", "aria-label": "The frame, decoded from its codes" });
  const real = el("canvas", { id: "real", role: "img", "aria-label": "What really came" });
  const paint = painterOf(picture), paintReal = painterOf(real);
  const line = el("div", { class: "line-of-drawing" });
  const film = el("div", {
    id: "film", tabindex: 0, role: "group",
    "aria-label": "The film: arrow keys choose what is done", "aria-describedby": "told",
  }, picture, line);
  const map = VQ.board({ ...shape, attributes: { id: "map", "aria-hidden": "true" } });
  const badge = el("span", { class: "badge" }), counter = el("span", { class: "number", id: "count" });
  const realSays = el("figcaption", {}), told = el("p", { class: "told", id: "told" });
  const beside = el("div", { class: "real" }, real);
  const starts = Array.from({ length: WALKS }, (_, i) => {
    const canvas = el("canvas", {});
    painterOf(canvas)(recordedMap(i, SEEN - 1), PLACES);
    const node = button(`start-${i}`, canvas, () => restart(i));
    return set(node, { class: "start", "aria-label": `Start ${i + 1}` });
  });

  film.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const byArrow = names.findIndex((name) => ARROWS[name] === event.key);
    const action = byArrow >= 0 ? byArrow : Number(event.key) - 1;
    if (event.key === "Home") restart();
    else if (event.key === "Enter") follow();
    else if (names[action] !== undefined) act(action);
    else return;
    event.preventDefault();
  });
  // A tap or click on the picture: left of it, right of it, or straight on.
  picture.addEventListener("click", (event) => {
    const { left, width } = picture.getBoundingClientRect(), x = (event.clientX - left) / width;
    const action = names.indexOf(x < 1 / 3 ? "left" : x > 2 / 3 ? "right" : "forward");
    if (action >= 0) act(action);
  });

  // ---- in words ----
  const frames = (count) => `${count} ${count === 1 ? "frame" : "frames"}`;

  function reason() {
    if (together() < maps.length) return `You left the recorded walk after ${frames(together() - SEEN)}.`;
    return maps.length < LENGTH ? "" : "The recorded walk ends here.";
  }

  function sentence() {
    if (drawing) {
      return `Drawing what one sees after \u201c${names[drawing.action]}\u201d` +
        (queued === null ? "." : `; then comes \u201c${names[queued]}\u201d.`);
    }
    if (!imagined()) return `The last of ${SEEN} frames that were seen. Walk on: what is done next?`;
    const seconds = (took / 1000).toFixed(took < 950 ? 2 : 1);
    const news = maps.length - together() <= 1 ? reason() : "";
    return `After \u201c${names[actions[actions.length - 1]]}\u201d: imagined here, ` +
      `${PLACES} codes in ${seconds} s. ${news}`;
  }

  // ---- drawing ----
  // Codes that are not there yet are still those of the frame before.
  function draw() {
    const codes = drawing && watching() ? drawing.codes : maps[maps.length - 1];
    paint(codes, PLACES);
    map.color(Uint8Array.from({ length: 3 * PLACES }, (_, i) => colors[3 * codes[Math.floor(i / 3)] + (i % 3)]));
    const row = drawing && watching() ? Math.floor(drawing.there / COLUMNS) : 0;
    set(line, { style: row ? `top: ${(100 * row) / ROWS}%` : "display: none" });
    map.mark({ outlined: row ? Array.from({ length: row * COLUMNS }, (_, i) => i) : [] });
  }

  function show() {
    draw();
    set(film, { class: imagined() ? "imagined" : "seen", "aria-busy": String(drawing !== null) });
    badge.textContent = imagined() ? "imagined" : "seen";
    counter.textContent = `${frames(imagined())} imagined`;
    const same = Math.min(together(), LENGTH);
    paintReal(recordedMap(walk, same - 1), PLACES);
    set(beside, { class: same === maps.length ? "real" : "real left" });
    realSays.textContent = same === maps.length ? "what really came, from its codes" : reason();
    told.textContent = sentence();
    VQ.announce(told.textContent);
    set(along, { "aria-disabled": String(!canFollow()) });
    set(again, { "aria-disabled": String(!imagined() && !drawing) });
    set(live, { "aria-pressed": String(watching()), "aria-disabled": String(VQ.still()) });
    set(finished, { "aria-pressed": String(!watching()) });
    starts.forEach((node, i) => set(node, { "aria-pressed": String(i === walk) }));
    const last = maps[maps.length - 1];
    VQ.state(`start ${walk}; frames ${imagined()}; path ${actions.slice(SEEN - 1).map((a) => names[a]).join(",")}; ` +
      `together ${same - SEEN}; seed ${seed}; temperature ${temperature.toFixed(2)}; ` +
      `sum ${last.reduce((sum, k, i) => sum + (k + 1) * (i + 1), 0)}; took ${(took ?? 0).toFixed(0)}; ` +
      `queued ${names[queued] ?? "none"}; ${drawing || queued !== null ? "drawing" : "still"}`);
  }

  const group = (label, nodes) => el("div", { class: "row group", role: "group", "aria-label": label },
    el("span", { class: "label" }, label), ...nodes);
  VQ.root.append(
    group("Start", starts),
    el("div", { class: "layout" },
      el("figure", { class: "picture" }, film, el("figcaption", {}, "decoded here: ", badge)),
      el("figure", { class: "codes" }, map, el("figcaption", {}, "its codes")),
      el("figure", { class: "truth" }, beside, realSays)),
    el("div", { class: "row", role: "group", "aria-label": "What is done next" }, ...moves, along),
    told,
    el("div", { class: "row" }, again, counter, group("Show", [live, finished])),
    el("div", { class: "row" }, warmth, dice),
    el("p", { class: "note" }, "Temperature and seed hold for the frames that are drawn next. From the same " +
      "start, with the same seed and the same actions, the film is the same."),
    el("p", { class: "note", id: "keys" }, "Keys, once you have come to the picture with Tab or a click: " +
      names.map((name, action) => `${ARROWS[name] ? `${GLYPHS[name]} or ` : ""}${action + 1} ${name}`).join(", ") +
      ", Enter follows the recorded walk, Home goes back to the start. A key pressed while a frame is " +
      "drawn waits for it."));
  restart();
})();
