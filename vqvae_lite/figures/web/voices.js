// Sentences as rows of codes: point at a code to see what it is and where else it stands, hear a
// stretch around each of its places, and hear the whole sentence in any voice.
(function () {
  "use strict";
  const { el, set } = VQ;
  const { rate, hop, speakers, phones: PHONES, kinds, kindOf } = VQ.data;
  const palette = VQ.unpack(VQ.data.colors).values;
  const clips = VQ.data.clips.map((clip) => ({ ...clip, codes: VQ.unpack(clip.codes).values }));
  const all = clips.reduce((sum, { codes }) => sum + codes.length, 0);
  const longest = Math.max(...clips.map(({ codes }) => codes.length));
  const ORIGINAL = -1; // as a number of a voice
  const STRETCH = 0.15, MOST = 12; // seconds around a code, and places heard one after another

  // Where each code stands: [clip, place].
  const uses = new Map();
  clips.forEach(({ codes }, c) => codes.forEach((code, i) => {
    uses.set(code, [...(uses.get(code) ?? []), [c, i]]);
  }));

  // ---- what the reader has chosen ----
  let clip = 0, cursor = Math.floor(clips[0].codes.length / 3), hover = null, first = 0;
  let voice = ORIGINAL, waves = null, broken = false, heard = "nothing";

  const number = (n) => n.toLocaleString("en");
  const seconds = (samples) => `${(samples / rate).toFixed(2)} s`;
  const color = (k) => `rgb(${palette.subarray(3 * k, 3 * k + 3).join(" ")})`;
  const codes = () => clips[clip].codes;
  const at = () => hover ?? cursor;
  const middle = (i) => (i + 0.5) * hop;
  const phoneAt = (c, i) => {
    const found = clips[c].phones.find(([start, end]) => start <= middle(i) / rate && middle(i) / rate < end);
    return found ? found[2] : null;
  };

  // ---- sounds ----
  const player = VQ.player({ rate, tick: VQ.data.tick, ended });
  let wanted = 0; // counts what was asked for, so that an answer that comes late is dropped

  // All sentences in one voice, then what to do with them.
  async function take(chosen, then = () => {}) {
    const mine = ++wanted;
    const sounds = await Promise.all(clips.map((each) => player.load(
      chosen === ORIGINAL ? each.original : each.voices[chosen], each.codes.length * hop))).catch(() => null);
    if (mine !== wanted) return;
    if (!sounds) {
      broken = true;
      return request();
    }
    [voice, waves] = [chosen, sounds];
    request(true);
    then();
  }

  function ended() {
    if (heard === "sentence") show(cursor);
    heard = "nothing";
    request(true);
  }

  function play(name, pieces) {
    player.play(pieces.map((piece) => ({ ...piece, samples: waves[piece.clip] })));
    heard = name;
    request();
  }

  function stretch([c, i]) {
    const half = (STRETCH / 2) * rate, length = clips[c].codes.length * hop;
    return {
      clip: c, place: i,
      from: Math.max(0, Math.round(middle(i) - half)), to: Math.min(length, Math.round(middle(i) + half)),
    };
  }

  // Its places, but of those that lie in one stretch only the first; evenly out of too many.
  function places(code) {
    const apart = [];
    for (const [c, i] of uses.get(code)) {
      const last = apart.at(-1);
      if (!last || last[0] !== c || (i - last[1]) * hop >= STRETCH * rate) apart.push([c, i]);
    }
    const count = Math.min(MOST, apart.length);
    return Array.from({ length: count }, (_, n) => apart[Math.floor((n * apart.length) / count)]);
  }

  // What a click asks for may need another voice first; a browser wants to be woken by the click.
  function listen(chosen, act) {
    if (broken) return;
    player.wake();
    if (waves && chosen === voice) act();
    else take(chosen, act);
  }
  const hearSentence = (chosen) => {
    if (heard === "sentence" && chosen === voice) return player.stop();
    listen(chosen, () => play("sentence", [{ clip, from: 0, to: codes().length * hop }]));
  };
  const hearHere = () => listen(voice, () => play("here", [stretch([clip, cursor])]));
  const hearEvery = () => {
    if (heard === "every") return player.stop();
    const code = codes()[cursor];
    listen(voice, () => play("every", places(code).map((place, _, { length }) => ({ ...stretch(place), of: length }))));
  };

  // ---- going to a code ----
  function go(c, i, announced = true) {
    if (c !== clip && heard === "sentence") player.stop();
    [clip, hover] = [c, null];
    cursor = Math.min(codes().length - 1, Math.max(0, i));
    show(cursor);
    request(true);
    if (announced) VQ.announce(told());
  }
  const visible = () => Math.min(codes().length, zoom.room());
  const bound = (f) => Math.min(codes().length - visible(), Math.max(0, Math.round(f)));
  function show(i) {
    if (i < first || i >= first + visible()) first = i - visible() / 3;
    first = bound(first);
  }
  function told() {
    const code = codes()[cursor], phone = phoneAt(clip, cursor);
    return `Code ${code} at ${seconds(middle(cursor))}${phone ? `, in ${phone}` : ""}: ` +
      `${uses.get(code).length} of ${number(all)} places. ${facts.phones(code)}`;
  }
  function step(way) {
    const list = uses.get(codes()[cursor]);
    const here = list.findIndex(([c, i]) => c === clip && i === cursor);
    go(...list[(here + way + list.length) % list.length]);
  }

  // ---- the sentences, and the magnified part of one ----
  const overviews = clips.map(({ codes, speaker, text }, c) => {
    const track = VQ.overview({ codes, color, hop, attributes: { id: `overview-${c}`, role: "img" } });
    track.style.width = `${(100 * codes.length) / longest}%`;
    const open = (event) => {
      first = track.codeAt(event.clientX) - visible() / 2;
      go(c, track.codeAt(event.clientX), false);
    };
    track.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      track.setPointerCapture(event.pointerId);
      open(event);
    });
    track.addEventListener("pointermove", (event) => {
      if (track.hasPointerCapture(event.pointerId)) open(event);
    });
    const button = set(VQ.button("", () => go(c, c === clip ? cursor : codes.length >> 1)), { id: `clip-${c}` });
    button.append(el("b", {}, speaker), ` \u201c${text}\u201d`);
    return { track, button };
  });
  const zoom = VQ.magnifier({
    color, hop, rate,
    phoneColor: (name) => `rgb(${kinds[kindOf[PHONES.indexOf(name)]].color.join(" ")})`,
    attributes: {
      id: "codes", tabindex: 0, role: "application", "aria-roledescription": "row of codes",
      "aria-describedby": "keys",
    },
  });
  zoom.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "mouse") return;
    hover = zoom.codeAt(event.clientX);
    request();
  });
  zoom.addEventListener("pointerleave", () => { hover = null; request(); });
  zoom.addEventListener("click", (event) => { go(clip, zoom.codeAt(event.clientX), false); hearHere(); });
  VQ.arrowKeys(zoom, (dx, dy, big) => {
    if (dx) go(clip, cursor + dx * (big ? 10 : 1));
    else go((clip - dy + clips.length) % clips.length, cursor);
  });
  const KEYS = {
    Enter: hearHere, " ": () => hearSentence(voice), e: hearEvery, n: () => step(1), p: () => step(-1),
    Home: () => go(clip, 0), End: () => go(clip, codes().length - 1),
  };
  zoom.addEventListener("keydown", (event) => {
    const act = KEYS[event.key.length > 1 ? event.key : event.key.toLowerCase()];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });

  // ---- buttons and words ----
  const voiceButtons = [ORIGINAL, ...speakers.keys()].map((v) => {
    const sign = el("span", { "aria-hidden": "true" }), name = el("span", {});
    const button = set(VQ.button(sign, () => hearSentence(v)), {
      id: v === ORIGINAL ? "original" : `voice-${speakers[v]}`,
    });
    button.append(" ", name);
    return { v, button, sign, name };
  });
  const caption = el("p", { class: "caption", id: "caption" });
  const pager = (text, name, way) => set(VQ.button(text, () => {
    first = bound(first + way * 0.8 * visible());
    go(clip, Math.min(first + visible() - 1, Math.max(first, cursor)));
  }), { "aria-label": name, id: way < 0 ? "earlier" : "later" });
  const span = el("span", { class: "label number" });
  const facts = VQ.codeFacts({ ...VQ.data, color });
  const here = set(VQ.button("Hear it here", hearHere), { id: "here" });
  const every = set(VQ.button("", hearEvery), { id: "every" });
  const previous = set(VQ.button("Previous place", () => step(-1)), { id: "previous" });
  const next = set(VQ.button("Next place", () => step(1)), { id: "next" });

  function captionOf() {
    const { speaker } = clips[clip];
    if (broken) {
      return "This browser cannot decode the MP3 sounds in this page, so that nothing can be heard. " +
        "The codes and their places are all here.";
    }
    const now = heard === "every" && player.now();
    if (now) {
      const phone = phoneAt(now.clip, now.place);
      return `Place ${now.index + 1} of ${now.of}: ${clips[now.clip].speaker}, at ` +
        `${seconds(middle(now.place))}${phone ? `, in ${phone}` : ""}.`;
    }
    if (voice === ORIGINAL) return `The original: ${speaker}, as recorded.`;
    return speakers[voice] === speaker
      ? `Reconstruction: ${speaker}\u2019s sentence out of its codes, in ${speaker}\u2019s own voice.`
      : `Conversion: the codes of ${speaker}\u2019s sentence in the voice of ${speakers[voice]}.`;
  }

  // ---- drawing ----
  let waiting = false, stale = true; // stale: what stands still has changed too

  function request(still = false) {
    stale = stale || still;
    if (!waiting) requestAnimationFrame(draw);
    waiting = true;
  }

  function drawStill() {
    stale = false;
    first = bound(first);
    const loud = (samples) => samples.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    const sounds = clips.map((_, c) => ({ samples: waves?.[c], loudest: waves ? loud(waves[c]) : 0 }));
    overviews.forEach(({ track }, c) => track.draw(sounds[c]));
    zoom.draw({
      ...sounds[clip], codes: codes(), phones: clips[clip].phones, from: first, to: first + visible(),
    });
  }

  // The line is where the sound is, or, for a reader who wants no motion, where its phone begins.
  function lineAt({ clip: c, sample }) {
    if (!VQ.still()) return sample;
    return (clips[c].phones.findLast(([start]) => start * rate <= sample)?.[0] ?? 0) * rate;
  }

  function draw() {
    waiting = false;
    const now = player.now();
    const played = now && heard === "sentence" ? Math.floor(now.sample / hop) : first;
    if (played < first || played >= first + visible()) { // turns the page
      first = bound(played);
      stale = true;
    }
    if (stale) drawStill();
    const code = codes()[at()], list = uses.get(code);
    overviews.forEach(({ track, button }, c) => {
      const inIt = list.filter(([other]) => other === c).map(([, i]) => i);
      track.mark({
        places: inIt, part: c === clip ? [first, first + visible()] : null,
        heard: now?.clip === c ? lineAt(now) : null,
      });
      const name = `${clips[c].speaker}\u2019s sentence: waveform and ${clips[c].codes.length} codes`;
      set(track, { "aria-label": `${name}; code ${code} at ${inIt.length} of them` });
      set(button, { "aria-pressed": String(c === clip) });
    });
    const mine = list.filter(([c]) => c === clip).map(([, i]) => i);
    zoom.mark({ places: mine, cursor: at(), heard: now?.clip === clip ? lineAt(now) : null });
    set(zoom, { "aria-label": `Codes of ${clips[clip].speaker}\u2019s sentence, at ${at() + 1} of ${codes().length}` });
    span.textContent = `${seconds(first * hop)} to ${seconds((first + visible()) * hop)} of ${seconds(codes().length * hop)}`;
    voiceButtons.forEach(({ v, button, sign, name }) => {
      const { speaker } = clips[clip], own = speakers[v] === speaker ? " (reconstruction)" : "";
      sign.textContent = heard === "sentence" && v === voice ? "\u25a0" : "\u25b6";
      name.textContent = v === ORIGINAL ? `original: ${speaker}` : `${speakers[v]}${own}`;
      set(button, { "aria-pressed": String(v === voice), "aria-disabled": String(broken) });
    });
    caption.textContent = captionOf();
    const phone = phoneAt(clip, at());
    facts.show(code, `${seconds(middle(at()))}${phone ? `, in ${phone}` : ""}. At ${mine.length} of the ` +
      `${number(codes().length)} places here, ${list.length} of ${number(all)} in all ${clips.length} sentences.`);
    every.textContent = heard === "every" ? "\u25a0 Stop" : `Hear its places (${places(codes()[cursor]).length})`;
    [here, every].forEach((button) => set(button, { "aria-disabled": String(broken) }));
    VQ.state(`clip ${clip}; code ${code}; place ${at()}; first ${first}; voice ` +
      `${voice === ORIGINAL ? "original" : speakers[voice]}; heard ${heard}; here ${mine.length}; ` +
      `everywhere ${list.length}; sound ${broken ? "broken" : waves ? "ready" : "waits"}`);
    if (heard !== "nothing") request();
  }

  VQ.root.append(
    el("p", { class: "note" }, "Each cell is a code. Point at one to see where it stands, click to hear it, or hear the whole " +
      "sentence: as recorded, or out of its codes in any voice."),
    ...overviews.map(({ track, button }) => el("div", { class: "clip" }, button, track)),
    el("div", { class: "row voices", role: "group", "aria-label": "Hear the sentence" }, ...voiceButtons.map(({ button }) => button)),
    caption, zoom,
    el("div", { class: "row pager" }, pager("\u25c0", "Earlier codes", -1), span, pager("\u25b6", "Later codes", 1)),
    el("div", { class: "card" },
      el("div", {}, facts.words, el("div", { class: "row" }, here, every, previous, next)),
      facts.meters),
    el("p", { class: "note legend" }, "Mostly in ", ...kinds.map((kind) => el("span", {},
      el("span", { class: "swatch", style: `background: rgb(${kind.color.join(" ")})` }), " ", kind.name))),
    el("p", { class: "note", id: "keys" }, "Keys on the codes: arrows move, with Shift by ten; Enter plays a stretch around the code, " +
      "E one around each of its places, Space the sentence; N and P lead to its next and previous place."));
  let wide = 0;
  new ResizeObserver(() => {
    if (zoom.width() !== wide) show(cursor);
    wide = zoom.width();
    request(true);
  }).observe(VQ.root);
  VQ.onTheme(() => request(true));
  show(cursor);
  take(ORIGINAL);
  request(true);
  draw();
})();
