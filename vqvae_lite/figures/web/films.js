// Films side by side. Each comes as a strip, its frames one below another; one button plays all.
(function () {
  "use strict";
  const { el, set } = VQ;
  const { names, scenes, frames: FRAMES, seen: SEEN, size: [HEIGHT, WIDTH], step: STEP } = VQ.data;
  const PACE = 160; // ms between two frames

  let scene = 0;
  let at = SEEN - 1; // the frame that shows
  let playing = null; // the timer

  const strips = VQ.data.strips.map((film) => film.map((strip) => {
    const image = new Image();
    image.src = `data:image/avif;base64,${strip}`;
    return image;
  }));

  const when = (frame) => (frame < SEEN
    ? SEEN === 1 ? "seen" : `seen, ${frame + 1} of ${SEEN}` : `+${frame - SEEN + 1}`);

  // ---- what the reader does ----
  function pause() {
    clearTimeout(playing);
    playing = null;
  }

  function tick() {
    playing = at < FRAMES - 1 ? setTimeout(() => { at += 1; tick(); }, PACE) : null;
    show();
  }

  function run() {
    if (playing !== null) {
      seek(at);
    } else if (VQ.still()) {
      seek(at === FRAMES - 1 ? 0 : FRAMES - 1);
    } else {
      if (at === FRAMES - 1) at = 0;
      tick();
    }
  }

  function seek(frame) {
    pause();
    at = frame;
    show();
  }

  function choose(which) {
    scene = which;
    seek(SEEN - 1);
  }

  // ---- parts ----
  const play = set(VQ.button("Play", run), { id: "play" });
  const time = VQ.slider({
    label: "Frame", id: "frame", min: 0, max: FRAMES - 1, value: at, act: seek, show: when,
  });
  const choices = scenes.map((name, which) => set(VQ.button(name, () => choose(which)), { id: `scene-${which}` }));
  const screens = names.map(() => el("canvas", { role: "img", width: WIDTH, height: HEIGHT }));

  // ---- drawing ----
  function show() {
    screens.forEach((screen, film) => {
      const strip = strips[film][scene];
      if (strip.complete && strip.naturalWidth) {
        screen.getContext("2d").drawImage(strip, 0, at * STEP, WIDTH, HEIGHT, 0, 0, WIDTH, HEIGHT);
      }
      set(screen, { "aria-label": `${names[film]}, ${when(at)}` });
    });
    play.textContent = playing === null ? "Play" : "Pause";
    choices.forEach((choice, which) => set(choice, { "aria-pressed": String(which === scene) }));
    time.input.value = at;
    time.refresh();
    if (playing === null) VQ.announce(`${scenes.length > 1 ? `${scenes[scene]}: ` : ""}${when(at)}`);
    VQ.state(`scene ${scene + 1}; frame ${at + 1} of ${FRAMES}; ${playing === null ? "still" : "playing"}`);
  }

  const note = el("p", { class: "note" });
  VQ.root.append(
    ...(scenes.length > 1
      ? [el("div", { class: "row", role: "group", "aria-label": "Scene" }, ...choices)] : []),
    el("div", { class: "films" }, ...screens.map((screen, film) =>
      el("figure", {}, screen, el("figcaption", {}, names[film])))),
    el("div", { class: "row" }, play, time),
    note);
  Promise.all(strips.flat().map((strip) => strip.decode())).catch(() => {
    note.textContent = "This browser does not show AVIF pictures, in which the films are stored.";
  }).finally(show);
})();
