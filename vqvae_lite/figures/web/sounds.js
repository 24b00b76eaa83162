// Sounds to hear one against another: one button plays, and the choice of a version is heard at once.
// Versions of one sound run together, and a choice fades from one to the other at the same place.
(function () {
  "use strict";
  const { el, set } = VQ;
  const { rate, sounds, together } = VQ.data;
  const EDGE = 0.01; // seconds, to fade in and out without a click
  const SOON = 0.03, STEP = 0.1, BIG = 0.5; // seconds: until a sound begins, and that a key moves

  // ---- what the reader has chosen ----
  let version = 0, place = 0, repeat = false; // place: a sample, where nothing is heard
  let waves = null, broken = false, context = null, playing = null;

  const end = () => (together ? Math.max(...sounds.map(({ samples }) => samples)) : sounds[version].samples);
  const seconds = (samples) => (samples / rate).toFixed(1);

  // ---- sound ----
  const load = VQ.mp3({ rate, tick: VQ.data.tick });
  const ready = Promise.all(sounds.map(({ sound, samples }) => load(sound, samples))).then(
    (loaded) => { waves = loaded; },
    () => { broken = true; },
  ).then(() => request(true));

  function start(from) {
    const mine = { from, when: context.currentTime + SOON, length: end(), tracks: [] };
    const heard = together ? waves : [waves[version]];
    heard.forEach((samples, v) => {
      const buffer = context.createBuffer(1, mine.length, rate);
      buffer.copyToChannel(samples, 0);
      const source = context.createBufferSource(), gain = context.createGain();
      source.buffer = buffer;
      source.loop = repeat;
      source.connect(gain).connect(context.destination);
      gain.gain.setValueAtTime(0, mine.when);
      if (!together || v === version) gain.gain.linearRampToValueAtTime(1, mine.when + EDGE);
      source.start(mine.when, from / rate);
      mine.tracks.push({ source, gain });
    });
    mine.tracks[0].source.addEventListener("ended", () => {
      if (playing !== mine) return;
      [playing, place] = [null, 0];
      request();
    });
    playing = mine;
    request();
  }

  function fade({ gain }, to) {
    const now = context.currentTime;
    gain.gain.cancelScheduledValues(now);
    gain.gain.setValueAtTime(1 - to, now);
    gain.gain.linearRampToValueAtTime(to, now + EDGE);
  }

  function stop() {
    if (!playing) return;
    place = now();
    const { tracks } = playing;
    playing = null;
    tracks.forEach(({ source, gain }) => {
      gain.gain.cancelScheduledValues(context.currentTime);
      gain.gain.setTargetAtTime(0, context.currentTime, EDGE / 4);
      source.stop(context.currentTime + EDGE);
    });
    request();
  }

  // The sample that is heard at the moment.
  function now() {
    if (!playing) return place;
    const time = context.currentTime - (context.outputLatency || 0) - playing.when;
    return (playing.from + Math.max(0, Math.floor(time * rate))) % playing.length;
  }

  // A browser wants to be woken by the click itself.
  function hear(from) {
    if (broken) return;
    context = context ?? new AudioContext();
    context.resume();
    stop();
    place = from;
    ready.then(() => { if (!broken && !playing) start(place); });
  }

  const toggle = () => (playing ? stop() : hear(place));

  function choose(chosen) {
    const before = version;
    version = chosen;
    radios[chosen].checked = true;
    if (!playing || !together) hear(together ? place : 0);
    else if (chosen !== before) {
      fade(playing.tracks[before], 0);
      fade(playing.tracks[chosen], 1);
    }
    request(true);
  }

  function seek(sample) {
    const to = Math.min(end() - 1, Math.max(0, Math.round(sample)));
    if (playing) hear(to);
    else place = to;
    request();
  }

  function again(chosen) {
    repeat = chosen;
    playing?.tracks.forEach(({ source }) => { source.loop = repeat; });
    request();
  }

  // ---- parts ----
  const sign = el("span", { "aria-hidden": "true" }), word = el("span", {});
  const play = set(VQ.button(sign, toggle), { id: "play" });
  play.append(" ", word);
  const time = el("span", { class: "number", id: "time" });
  const box = el("input", { type: "checkbox", id: "repeat", change: () => again(box.checked) });
  const radios = sounds.map((_, v) => el("input", {
    type: "radio", name: "version", id: `version-${v}`, change: () => choose(v),
  }));
  radios[0].checked = true;
  const trouble = el("p", { class: "note", id: "trouble" });

  const track = VQ.track({
    height: 56,
    attributes: { id: "place", tabindex: 0, role: "slider", "aria-label": "Place in the sound", "aria-valuemin": 0 },
  });
  const length = el("path", { class: "length" }), line = el("path", { class: "play" });
  track.overlay.append(length, line);
  const at = (event) => {
    const { left, width } = track.getBoundingClientRect();
    seek(((event.clientX - left) / width) * end());
  };
  track.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    track.setPointerCapture(event.pointerId);
    at(event);
  });
  track.addEventListener("pointermove", (event) => {
    if (track.hasPointerCapture(event.pointerId)) at(event);
  });
  VQ.arrowKeys(track, (dx, dy, big) => seek(now() + (dx || dy) * (big ? BIG : STEP) * rate));
  const KEYS = { " ": toggle, Home: () => seek(0), End: () => seek(end()) };
  track.addEventListener("keydown", (event) => {
    if (!KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    KEYS[event.key]();
  });
  document.addEventListener("keydown", (event) => {
    const chosen = Number(event.key) - 1;
    if (!radios[chosen] || sounds.length < 2 || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    choose(chosen);
  });

  // ---- drawing ----
  let waiting = false, stale = true; // stale: the waveform has changed too

  function request(still = false) {
    stale = stale || still;
    if (!waiting) requestAnimationFrame(draw);
    waiting = true;
  }

  function drawWave() {
    stale = false;
    const loudest = waves
      ? Math.max(...waves.map((wave) => wave.reduce((most, v) => Math.max(most, Math.abs(v)), 0)))
      : 1;
    track.paint((context, width, height) => {
      if (!waves) return;
      const wide = (width * sounds[version].samples) / end(), { samples } = sounds[version];
      VQ.track.wave(context, waves[version], 0, samples, { x: 0, y: 2, width: wide, height: height - 4 }, loudest,
        VQ.color("ink"));
    });
  }

  function draw() {
    waiting = false;
    if (stale) drawWave();
    const sample = now();
    // For a reader who wants no motion the line goes on twice a second.
    const shown = playing && VQ.still() ? sample - (sample % (rate / 2)) : sample;
    const x = ((shown / end()) * track.width()).toFixed(1);
    set(line, { d: `M${x} 0V56` });
    const text = `${seconds(shown)} of ${seconds(end())} s`;
    if (time.textContent !== text) {
      time.textContent = text;
      set(track, { "aria-valuemax": seconds(end()), "aria-valuenow": seconds(shown), "aria-valuetext": text });
    }
    sign.textContent = playing ? "\u275a\u275a" : "\u25b6";
    word.textContent = playing ? "Pause" : "Play";
    set(play, { "aria-disabled": String(broken) });
    trouble.textContent = broken
      ? "This browser cannot decode the MP3 sounds in this page, so that nothing can be heard."
      : "";
    VQ.state(`version ${version}; place ${seconds(sample)}; heard ${playing ? "sound" : "nothing"}; ` +
      `repeat ${repeat ? "on" : "off"}; sound ${broken ? "broken" : waves ? "ready" : "waits"}`);
    if (playing) request();
  }

  const versions = sounds.map(({ name, samples }, v) => el("label", { class: "version" }, radios[v],
    el("span", {}, name, " ", el("span", { class: "number" }, `${seconds(samples)} s`))));
  VQ.root.append(
    el("div", { class: "row" }, play, time, el("label", { class: "repeat" }, box, "Repeat")),
    track);
  if (sounds.length > 1) {
    VQ.root.append(
      el("div", { class: "row versions", role: "radiogroup", "aria-label": together ? "Versions" : "Sounds" }, ...versions),
      el("p", { class: "note" }, together
        ? "Choose another version while one plays: the sound goes on at the same place."
        : "Choose a sound to hear it.",
      el("span", { id: "keys" }, ` Keys: 1 to ${Math.min(9, sounds.length)} choose; on the waveform Space plays ` +
        "and stops, arrows move.")));
  } else VQ.root.append(el("p", { class: "note" }, sounds[0].name));
  VQ.root.append(trouble);
  new ResizeObserver(() => request(true)).observe(VQ.root);
  VQ.onTheme(() => request(true));
  draw();
})();
