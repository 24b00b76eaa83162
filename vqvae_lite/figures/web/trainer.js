// A VQ-VAE of the plane that trains while the reader looks on, and breaks where they ask for it.
(function () {
  "use strict";
  const { el, set, tiny } = VQ;
  const { unit, hidden } = VQ.data;
  const BETAS = [0, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 4], RATES = [0.001, 0.003, 0.01, 0.03, 0.1];
  const RULES = [["gradient", null], ["EMA, decay 0.5", 0.5], ["EMA, decay 0.9", 0.9], ["EMA, decay 0.99", 0.99]];
  const CARES = [["are left alone", null], ["are placed once, at the start", 0], ["are restarted", 0.1]];
  const OWN = "your own clicks", LUMP = 12; // points that a click adds
  const KEPT = 400; // moments in the charts: with more, every second one goes
  const TRAIL = 30, GRID = 60; // moments of a code's trail; squares across, of the cells
  const ENOUGH = 300; // steps after which a run counts for the missions
  const sets = Object.fromEntries(Object.entries(VQ.data.sets).map(([name, packed]) =>
    [name, Float64Array.from(VQ.unpack(packed).values, (value) => value / unit)]));
  sets[OWN] = new Float64Array(0);

  const settings = {
    data: Object.keys(sets)[0], codes: VQ.data.codes, seed: VQ.data.seed,
    beta: 0.25, decay: null, share: null, rate: 0.01, copy: true, stopEncoder: true, stopCodebook: true,
  };
  let model, seen, history, trails, timer = null, told = "", ran; // ran: the settings of the whole run
  const points = () => sets[settings.data];

  // ---- the run ----
  function again(why) {
    pause();
    model = tiny.start({ seed: settings.seed, hidden, codes: settings.codes });
    history = { steps: [], error: [], distance: [], perplexity: [] };
    trails = [];
    ran = { ...settings };
    seen = points().length ? tiny.look(model, points()) : null;
    told = why;
    latent.limit = 0.5;
    draw();
  }

  function advance(count) {
    if (!points().length) return;
    if (!model.steps) ran = { ...settings }; // chosen before the first step
    for (let i = 0; i < count; i++) {
      seen = tiny.step(model, points(), settings);
      trails.push(Float64Array.from(model.codebook));
      if (trails.length > TRAIL) trails.shift();
      note();
    }
  }

  function note() {
    const last = history.steps.at(-1) ?? -Infinity, gap = (model.steps || 1) / KEPT;
    if (model.steps - last < gap) return;
    history.steps.push(model.steps - 1);
    for (const name of ["error", "distance", "perplexity"]) history[name].push(seen[name]);
    if (history.steps.length <= KEPT) return;
    for (const name of Object.keys(history)) history[name] = history[name].filter((_, i) => i % 2 === 0);
  }

  const spread = () => Math.sqrt(seen.z.reduce((sum, v) => sum + v * v, 0) / (seen.z.length / 2));

  // ---- missions, looked at after each picture ----
  const NAMES = { data: "data", codes: "K", seed: "seed", beta: "\u03b2", decay: "how the codebook learns",
    share: "unused codes", rate: "step size", copy: "the copied gradient", stopEncoder: "sg[z\u2091]", stopCodebook: "sg[e]" };
  const differing = (a, b) => Object.keys(NAMES).filter((name) => a[name] !== b[name]);
  const cures = new Set();
  let collapsed = null, sizes = [], betaMatters = false;

  function judge() {
    if (!seen || model.steps < ENOUGH || differing(ran, settings).length) return;
    const few = seen.perplexity < settings.codes / 4, many = seen.perplexity > settings.codes / 2;
    if (few && settings.codes >= 8 && !collapsed) collapsed = { ...settings };
    const changed = collapsed ? differing(collapsed, settings) : [];
    if (many && changed.length === 1) cures.add(changed[0]);
    sizes = sizes.filter((size) => differing(size.settings, settings).length);
    sizes.push({ settings: { ...settings }, spread: spread() });
    const others = sizes.filter((size) => {
      const changes = differing(size.settings, settings);
      return changes.length === 1 && changes[0] === "beta";
    });
    betaMatters ||= others.some((size) => {
      const ratio = size.spread / spread();
      return Math.max(ratio, 1 / ratio) >= 4;
    });
  }

  // ---- what is seen ----
  const data = VQ.planePlot({ attributes: { id: "points", tabindex: 0 } });
  const latent = VQ.planePlot({ attributes: { id: "latents" } });
  const losses = VQ.lineChart({ label: "Error and distance to the code against the step" });
  const evenness = VQ.lineChart({ label: "Perplexity against the step" });
  let cursor = null; // the keyboard's place on the data

  const hue = (k) => `hsl(${Math.round((360 * k * 0.618) % 360)} 65% ${document.documentElement.dataset.theme === "dark" ? 62 : 42}%)`;
  const pairs = (values) => Array.from({ length: values.length / 2 }, (_, i) => [values[2 * i], values[2 * i + 1]]);

  function drawData() {
    data.begin();
    const { pen } = data;
    pairs(points()).forEach((point, i) => {
      pen.strokeStyle = pen.fillStyle = hue(seen.codes[i]);
      pen.globalAlpha = 0.35;
      pen.lineWidth = 0.8;
      data.line([point, [seen.made[2 * i], seen.made[2 * i + 1]]]);
      pen.globalAlpha = 1;
      data.dot(point, 2);
    });
    pairs(tiny.decode(model, model.codebook)).forEach(([u, v], k) => square(data, [u, v], k));
    if (cursor) {
      pen.strokeStyle = VQ.color("ink");
      pen.lineWidth = 1.5;
      data.line([[cursor[0] - 0.15, cursor[1]], [cursor[0] + 0.15, cursor[1]]]);
      data.line([[cursor[0], cursor[1] - 0.15], [cursor[0], cursor[1] + 0.15]]);
    }
    data.end();
  }

  // A code: a square, or a cross where no point chooses it.
  function square(plot, place, k) {
    const { pen } = plot, [x, y] = plot.at(...place);
    const dead = !seen?.used[k];
    pen.lineWidth = dead ? 2.5 : 1.5;
    pen.strokeStyle = dead ? VQ.color("vermilion") : VQ.color("paper");
    pen.fillStyle = hue(k);
    if (!dead) {
      pen.fillRect(x - 5, y - 5, 10, 10);
      pen.strokeRect(x - 5, y - 5, 10, 10);
      return;
    }
    for (const slope of [1, -1]) {
      pen.beginPath();
      pen.moveTo(x - 4, y - 4 * slope);
      pen.lineTo(x + 4, y + 4 * slope);
      pen.stroke();
    }
  }

  function drawLatent() {
    const codes = pairs(model.codebook), outputs = seen ? pairs(seen.z) : [];
    const far = Math.max(0.2, ...[...codes, ...outputs].flat().map(Math.abs));
    // The view follows what it shows, but does not tremble with it.
    if (far > latent.limit || far < 0.6 * latent.limit) latent.limit = 1.25 * far;
    latent.begin();
    const { pen, size, limit } = latent, edge = (i) => Math.round((i * size) / GRID);
    const centres = Float64Array.from({ length: 2 * GRID * GRID }, (_, i) => {
      const place = i >> 1, step = (2 * limit) / GRID;
      return i & 1 ? limit - (Math.floor(place / GRID) + 0.5) * step : ((place % GRID) + 0.5) * step - limit;
    });
    pen.globalAlpha = 0.16;
    tiny.nearest(model.codebook, centres).forEach((k, place) => {
      pen.fillStyle = hue(k);
      const across = place % GRID, down = Math.floor(place / GRID);
      pen.fillRect(edge(across), edge(down), edge(across + 1) - edge(across), edge(down + 1) - edge(down));
    });
    pen.globalAlpha = 1;
    outputs.forEach((place, i) => {
      pen.fillStyle = hue(seen.codes[i]);
      latent.dot(place, 2);
    });
    if (seen?.atOutput) arrows(outputs);
    pen.lineWidth = 1.2;
    codes.forEach((_, k) => {
      pen.strokeStyle = hue(k);
      latent.line(trails.map((book) => [book[2 * k], book[2 * k + 1]]));
    });
    codes.forEach((place, k) => square(latent, place, k));
    latent.end();
  }

  // Where the gradient sends some of the outputs; the longest is a tenth of the picture.
  function arrows(outputs) {
    const pulls = pairs(seen.atOutput), longest = Math.max(1e-12, ...pulls.map(([u, v]) => Math.hypot(u, v)));
    const every = Math.ceil(outputs.length / 48), scale = (0.2 * latent.limit) / longest;
    latent.pen.strokeStyle = VQ.color("ink");
    latent.pen.lineWidth = 1;
    outputs.forEach(([u, v], i) => {
      if (i % every) return;
      latent.line([[u, v], [u - scale * pulls[i][0], v - scale * pulls[i][1]]]);
    });
  }

  const readings = ["Step", "Error", "Distance to the code", "Size of the outputs", "Perplexity", "Codes used"].map((name) => {
    const value = el("dd", { class: "number" });
    return { value, node: el("div", {}, el("dt", {}, name), value) };
  });
  const tasks = ["collapse", "cures", "beta"].map((id) => el("li", { id: `task-${id}` }));

  function drawTasks() {
    const mark = (done) => (done ? "\u2713 " : "\u25cb ");
    tasks[0].textContent = `${mark(collapsed)}Make the codebook collapse: with K of 8 or more, a perplexity below K / 4 after ` +
      `${ENOUGH} steps or later. (Rings and \u03b2 = 0 are a way; it takes some 600 steps.)`;
    tasks[1].textContent = `${mark(cures.size >= 3)}Cure it three ways: start again from the collapsed settings with one of them changed, ` +
      `and get a perplexity above K / 2. Found: ${[...cures].map((name) => NAMES[name]).join(", ") || "none yet"}.`;
    tasks[2].textContent = `${mark(betaMatters)}Make \u03b2 matter: two runs of ${ENOUGH} steps that differ in \u03b2 alone, and whose ` +
      "outputs differ fourfold in size.";
  }

  function draw() {
    if (!model) return;
    judge();
    if (seen) drawData(); else data.begin();
    drawLatent();
    const { steps, error, distance, perplexity } = history;
    losses.draw([{ color: "blue", values: error }, { color: "orange", dash: [5, 3], values: distance }], steps, { log: true });
    evenness.draw([{ color: "green", values: perplexity }], steps, { top: settings.codes });
    const used = seen ? seen.used.filter((count) => count).length : 0;
    const values = seen
      ? [model.steps, seen.error.toFixed(3), seen.distance.toFixed(3), spread().toFixed(2), seen.perplexity.toFixed(1),
        `${used} of ${settings.codes}`]
      : [0, "\u2013", "\u2013", "\u2013", "\u2013", "\u2013"];
    values.forEach((value, i) => { readings[i].value.textContent = value; });
    drawTasks();
    run.textContent = timer === null ? "Run" : "Pause";
    const ema = settings.decay !== null;
    for (const name of ["stopEncoder", "stopCodebook"]) switches[name].disabled = ema;
    news.textContent = told;
    const sentence = seen
      ? `Step ${model.steps}: error ${seen.error.toFixed(3)}, perplexity ${seen.perplexity.toFixed(1)}, ${used} of ${settings.codes} codes used.`
      : "No points yet: click, or press Enter, on the left plane.";
    set(data, { "aria-label": `${points().length / 2} data points and what the model makes of them. ${sentence}` });
    set(latent, { "aria-label": `Outputs of the encoder and ${settings.codes} codes. ${sentence}` });
    VQ.state(`${JSON.stringify(settings)}; ${points().length / 2} points; step ${model.steps}; ${timer === null ? "still" : "running"}; ` +
      `error ${seen ? seen.error.toFixed(6) : "-"}; ${told}; cursor ${cursor}`);
    VQ.announce(sentence);
  }

  // ---- controls ----
  function pause() {
    cancelAnimationFrame(timer);
    timer = null;
  }

  // As many steps as a picture leaves time for, and at most 8.
  function frame() {
    const start = performance.now();
    for (let i = 0; i < 8 && performance.now() - start < 12; i++) advance(1);
    timer = requestAnimationFrame(frame);
    draw();
  }

  const stepButton = VQ.button("Take a step", () => { pause(); advance(1); draw(); });
  stepButton.id = "step";
  const hundred = VQ.button("100 steps", () => { pause(); advance(100); draw(); });
  hundred.id = "hundred";
  const run = VQ.button("Run", () => {
    if (timer !== null) pause();
    else if (VQ.still()) advance(ENOUGH);
    else timer = requestAnimationFrame(frame);
    draw();
  });
  run.id = "run";
  const restart = VQ.button("Start again", () => again("Started again."));
  restart.id = "again";

  const change = (name, value) => {
    settings[name] = value;
    if (["data", "codes", "seed"].includes(name)) again("Started again, with new first weights.");
    else {
      told = model.steps ? "Changed on the way: for the missions, start again." : "";
      draw();
    }
  };
  const menu = (label, id, name, options) => el("label", { class: "row" }, label,
    el("select", { id, change: ({ target }) => change(name, options[target.selectedIndex][1]) },
      ...options.map(([text]) => el("option", {}, text))));
  const among = (label, id, name, values) => VQ.slider({
    label, id, min: 0, max: values.length - 1, value: values.indexOf(settings[name]),
    show: (i) => String(values[i]), act: (i) => change(name, values[i]),
  });
  const switches = {};
  const toggle = (name, text) => {
    switches[name] = el("input", { type: "checkbox", id: name, checked: true, change: ({ target }) => change(name, target.checked) });
    return el("label", { class: "switch" }, switches[name], el("span", {}, text));
  };
  const seed = el("input", { type: "number", id: "seed", min: 0, max: 9999, step: 1, value: settings.seed });
  seed.addEventListener("change", () => {
    const value = Math.min(9999, Math.max(0, Math.trunc(seed.valueAsNumber) || 0));
    seed.value = value;
    change("seed", value);
  });
  const news = el("p", { class: "note", id: "news" });

  // ---- points of the reader's own ----
  function add(place) {
    const draw01 = tiny.random(1 + sets[OWN].length);
    const lump = Array.from({ length: 2 * LUMP }, (_, i) => place[i & 1] + 0.24 * (draw01() + draw01() - 1));
    const kept = settings.data === OWN ? [...sets[OWN]] : [];
    sets[OWN] = Float64Array.from([...kept, ...lump]);
    settings.data = OWN;
    dataMenu.querySelector("select").value = OWN;
    again(`${sets[OWN].length / 2} points of your own.`);
  }
  data.addEventListener("click", (event) => {
    const box = data.getBoundingClientRect();
    add(data.place((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height));
  });
  VQ.arrowKeys(data, (dx, dy, big) => {
    const by = big ? 0.5 : 0.1, [u, v] = cursor ?? [0, 0];
    cursor = [u + by * dx, v + by * dy].map((value) => Math.min(2.3, Math.max(-2.3, Math.round(10 * value) / 10)));
    draw();
  });
  data.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    add(cursor ??= [0, 0]);
  });

  const dataMenu = menu("Data", "set", "data", Object.keys(sets).map((name) => [name, name]));
  VQ.root.append(
    el("div", { class: "row" }, dataMenu,
      VQ.slider({ label: "K", id: "codes", min: 2, max: 32, value: settings.codes, act: (value) => change("codes", value) }),
      el("label", { class: "row" }, "Seed", seed)),
    el("div", { class: "row" },
      menu("The codebook learns by", "rule", "decay", RULES),
      menu("Unused codes", "care", "share", CARES)),
    el("div", { class: "row" }, among("\u03b2", "beta", "beta", BETAS), among("Step size", "rate", "rate", RATES)),
    el("fieldset", {},
      el("legend", {}, "Forget one and see"),
      toggle("copy", "The decoder's gradient is copied to the encoder"),
      toggle("stopEncoder", "sg[z\u2091] in the codebook's loss: it does not move the encoder"),
      toggle("stopCodebook", "sg[e] in the commitment loss: it does not move the codes")),
    el("div", { class: "row buttons" }, stepButton, hundred, run, restart),
    news,
    el("div", { class: "columns" },
      el("div", {}, el("p", { class: "label" }, "Data, each joined to what is made of it. A click adds points of your own (arrow keys and Enter too)"), data),
      el("div", {}, el("p", { class: "label" }, "Outputs of the encoder, codes and their cells. Lines: where the gradient sends an output"), latent),
      el("div", {}, el("p", { class: "label" }, "Error (blue) and distance to the code (orange, dashed), mean of squares"), losses),
      el("div", {}, el("p", { class: "label" }, "Perplexity of the codes, of K at most"), evenness)),
    el("p", { class: "note legend" },
      el("span", {}, "\u25a0 code"),
      el("span", {}, el("span", { class: "key dead" }, "\u2715"), " code that no point chooses")),
    el("dl", {}, ...readings.map((reading) => reading.node)),
    el("p", { class: "label" }, "Missions"),
    el("ul", { class: "tasks" }, ...tasks),
  );
  VQ.onTheme(draw);
  again("");
})();
