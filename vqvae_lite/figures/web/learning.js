// Codes finding data in the plane: a recorded training to play, step through and compare.
(function () {
  "use strict";
  const { el, set } = VQ;
  const { steps, limit, unit, rules, cares, news } = VQ.data;
  const LAST = steps.length - 1;
  const TRAIL = 24; // how many recorded moments a code's trail reaches back
  const places = (packed) => {
    const { shape, values } = VQ.unpack(packed);
    return { count: shape[shape.length - 2], at: (i) => [values[2 * i] / unit, values[2 * i + 1] / unit] };
  };
  const phases = VQ.data.phases.map(places);
  const runs = VQ.data.runs.map((run) => ({ ...run, codebooks: places(run.codebooks) }));
  const K = runs[0].codebooks.count;
  const phaseOf = (moment) => Math.min(
    phases.length - 1, Math.floor((steps[moment] * phases.length) / steps[LAST]));

  // A reader sees first what goes wrong: the first rule, with dead codes left alone.
  let rule = 0, care = 0, moment = 0, timer = null;

  // ---- the plane ----
  const SIZE = 440, LEFT = 36, BOTTOM = 404;
  const x = VQ.scale([-limit, limit], [LEFT, SIZE - 4]);
  const y = VQ.scale([-limit, limit], [BOTTOM, 4]);
  const at = ([u, v]) => `${x(u).toFixed(1)} ${y(v).toFixed(1)}`;
  const plane = el("svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, class: "plane", role: "img" });
  plane.append(el("rect", {
    class: "frame", x: LEFT, y: 4, width: SIZE - 4 - LEFT, height: BOTTOM - 4,
  }));
  const signed = (value) => (value < 0 ? "\u2212" : "") + Math.abs(value);
  for (let tick = 1 - Math.ceil(limit); tick < limit; tick++) {
    plane.append(
      el("text", { x: x(tick), y: BOTTOM + 16, "text-anchor": "middle" }, signed(tick)),
      el("text", { x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, signed(tick)),
    );
  }
  plane.append(
    el("text", { x: x(0), y: SIZE - 4, "text-anchor": "middle" }, "first component"),
    el("text", { x: 11, y: y(0), "text-anchor": "middle", transform: `rotate(-90 11 ${y(0)})` },
      "second component"),
  );
  const spokes = el("path", { class: "spokes" });
  const points = el("path", { class: "points" });
  const trails = el("path", { class: "trails" });
  plane.append(spokes, points, trails);
  const marks = Array.from({ length: K }, () => {
    const live = el("circle", { class: "live", r: 6.5 });
    const dead = el("path", { class: "dead", d: "M-5 -5 L5 5 M-5 5 L5 -5" });
    const node = el("g", {}, live, dead);
    plane.append(node);
    return { node, live, dead };
  });

  // ---- how often each code is chosen ----
  const WIDE = 260;
  const BARS = 92, FLOOR = 72;
  const usage = el("svg", { viewBox: `0 0 ${WIDE} ${BARS}`, role: "img" });
  const across = VQ.scale([0, K], [4, WIDE - 4]);
  const bars = Array.from({ length: K }, (_, k) => {
    const middle = (across(k) + across(k + 1)) / 2;
    const bar = el("rect", { class: "bar", x: across(k) + 1, width: across(1) - across(0) - 2 });
    const dead = el("path", {
      class: "dead thin", d: "M-3.5 -3.5 L3.5 3.5 M-3.5 3.5 L3.5 -3.5", transform: `translate(${middle} ${FLOOR - 6})`,
    });
    usage.append(bar, dead);
    return { bar, dead };
  });
  usage.append(
    el("line", { class: "axis", x1: 4, x2: WIDE - 4, y1: FLOOR, y2: FLOOR }),
    el("text", { x: WIDE / 2, y: BARS - 4, "text-anchor": "middle" }, `the ${K} codes`),
  );

  // ---- perplexity against the step, all runs ----
  const HIGH = 170, BASE = 136, START = 30;
  const chart = el("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img",
    "aria-label": "Perplexity against the step, for the choices seen so far; the chosen one is thick" });
  const when = VQ.scale([0, steps[LAST]], [START, WIDE - 6]);
  const high = VQ.scale([0, K], [BASE, 6]);
  for (const value of [0, K / 2, K]) {
    chart.append(
      el("line", { class: "grid", x1: START, x2: WIDE - 6, y1: high(value), y2: high(value) }),
      el("text", { x: START - 5, y: high(value) + 4, "text-anchor": "end" }, String(value)),
    );
  }
  news.forEach((_, phase) => {
    const start = (phase * steps[LAST]) / news.length;
    if (phase) chart.append(el("line", { class: "turn", x1: when(start), x2: when(start), y1: 6, y2: BASE }));
    chart.append(el("text", { x: when(start), y: BASE + 15, "text-anchor": "middle" }, String(start)));
  });
  chart.append(
    el("text", { x: when(steps[LAST]), y: BASE + 15, "text-anchor": "end" }, String(steps[LAST])),
    el("text", { x: (START + WIDE) / 2, y: HIGH - 4, "text-anchor": "middle" }, "step"),
  );
  // A run is drawn as far as the reader has seen it: the answer comes after the question.
  const reached = runs.map(() => 0);
  const lines = runs.map(() => {
    const line = el("polyline");
    chart.append(line);
    return line;
  });
  const cursor = el("line", { class: "cursor", y1: 6, y2: BASE });
  const dot = el("circle", { class: "live", r: 4.5 });
  chart.append(cursor, dot);

  // ---- controls ----
  const choice = (label, names, choose) => {
    const buttons = names.map((name, i) => VQ.button(name, () => { choose(i); draw(); }));
    const group = el("div", { class: "row choice", role: "group", "aria-label": label },
      el("span", { class: "label" }, label), ...buttons);
    return { group, show: (chosen) => buttons.forEach((node, i) => set(node, { "aria-pressed": String(i === chosen) })) };
  };
  const ruleChoice = choice("Codebook learns by", rules, (i) => { rule = i; });
  const careChoice = choice("Unused codes", cares, (i) => { care = i; });
  const slider = VQ.slider({
    label: "Step", id: "step", min: 0, max: LAST, value: 0, show: (i) => String(steps[i]),
    act: (i) => { pause(); moment = i; draw(); },
  });
  const play = VQ.button("Play", () => {
    if (timer !== null) pause();
    else {
      if (moment === LAST) moment = 0;
      if (VQ.still()) moment = endOfPhase();
      else timer = setTimeout(next, 0);
    }
    draw();
  });
  play.id = "play";

  function pause() {
    clearTimeout(timer);
    timer = null;
  }

  // The next moment after which the data change, or the last of all.
  function endOfPhase() {
    let end = moment + 1;
    while (end < LAST && phaseOf(end + 1) === phaseOf(end)) end += 1;
    return end;
  }

  // The first steps after a change of the data go by slowly: most of it happens there.
  function next() {
    moment += 1;
    timer = moment === LAST ? null : setTimeout(next, steps[moment + 1] - steps[moment] === 1 ? 160 : 70);
    draw();
  }

  const readings = ["Perplexity", "Codes used", "Mean squared distance"].map((name) => {
    const value = el("dd", { class: "number" });
    return { value, node: el("div", {}, el("dt", {}, name), value) };
  });
  const told = el("p", { class: "note", id: "news" });

  VQ.root.append(
    ruleChoice.group, careChoice.group,
    el("div", { class: "row" }, play, slider),
    told,
    el("div", { class: "columns" },
      el("div", { class: "left" }, plane,
        el("p", { class: "note legend" },
          el("span", {}, el("span", { class: "key live" }, "\u25cf"), " code in use"),
          el("span", {}, el("span", { class: "key dead" }, "\u2715"), " dead code, chosen by no point"),
          el("span", {}, "\u00b7 data, each joined to its code"))),
      el("div", { class: "right" },
        el("dl", {}, ...readings.map((reading) => reading.node)),
        el("p", { class: "label" }, "How many points choose each code"), usage,
        el("p", { class: "label" }, "Perplexity against the step (grey: other choices, as far as you have seen them)"), chart)),
  );

  // ---- everything follows from rule, care and moment ----
  function draw() {
    const chosen = runs.findIndex((run) => run.rule === rule && run.care === care);
    const { codebooks, states } = runs[chosen];
    const book = (i) => Array.from({ length: K }, (_, k) => codebooks.at(i * K + k));
    const codebook = book(moment);
    const data = phases[phaseOf(moment)];

    const counts = new Array(K).fill(0);
    let spokePath = "", pointPath = "";
    for (let i = 0; i < data.count; i++) {
      const p = data.at(i);
      let nearest = 0, least = Infinity;
      codebook.forEach((e, k) => {
        const distance = (p[0] - e[0]) ** 2 + (p[1] - e[1]) ** 2;
        if (distance < least) [nearest, least] = [k, distance];
      });
      counts[nearest] += 1;
      spokePath += `M${at(p)} L${at(codebook[nearest])}`;
      pointPath += `M${at(p)} h0.01`;
    }
    set(spokes, { d: spokePath });
    set(points, { d: pointPath });

    const past = [];
    for (let i = Math.max(0, moment - TRAIL); i <= moment; i++) past.push(book(i));
    set(trails, { d: codebook.map((_, k) => "M" + past.map((b) => at(b[k])).join(" L")).join(" ") });
    marks.forEach(({ node, live, dead }, k) => {
      set(node, { transform: `translate(${at(codebook[k])})` });
      live.style.display = counts[k] ? "" : "none";
      dead.style.display = counts[k] ? "none" : "";
    });
    const most = Math.max(...counts);
    bars.forEach(({ bar, dead }, k) => {
      const height = ((FLOOR - 6) * counts[k]) / most;
      set(bar, { y: FLOOR - height, height });
      dead.style.display = counts[k] ? "none" : "";
    });

    reached[chosen] = Math.max(reached[chosen], moment);
    lines.forEach((line, i) => set(line, {
      class: i === chosen ? "line chosen" : "line",
      points: runs[i].states.slice(0, reached[i] + 1).map(([perplexity], t) =>
        `${when(steps[t]).toFixed(1)},${high(perplexity).toFixed(1)}`).join(" "),
    }));
    chart.insertBefore(lines[chosen], cursor); // above the others
    const [perplexity, used, distortion] = states[moment];
    set(cursor, { x1: when(steps[moment]), x2: when(steps[moment]) });
    set(dot, { cx: when(steps[moment]), cy: high(perplexity) });
    [perplexity.toFixed(1), `${used} of ${K}`, distortion.toFixed(3)].forEach((text, i) => {
      readings[i].value.textContent = text;
    });
    told.textContent = news[phaseOf(moment)];
    ruleChoice.show(rule);
    careChoice.show(care);
    slider.input.value = moment;
    slider.refresh();
    play.textContent = timer === null ? "Play" : "Pause";

    const sentence = `Step ${steps[moment]}, ${rules[rule]}, unused codes ${cares[care]}: ` +
      `${used} of ${K} codes used, perplexity ${perplexity.toFixed(1)}, mean squared distance ${distortion.toFixed(3)}.`;
    set(plane, { "aria-label": `${data.count} data points and ${K} codes. ${sentence}` });
    set(usage, { "aria-label": `Points per code: ${counts.join(", ")}` });
    VQ.state(`${rules[rule]}; ${cares[care]}; step ${steps[moment]}; ${timer === null ? "still" : "playing"}`);
    VQ.announce(sentence);
  }

  draw();
})();
