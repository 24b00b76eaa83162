// Posterior collapse to cause by hand: the surface of a VAE's loss on two equal pixels, the path of
// its training from a start of the reader's, and a VQ-VAE beside it.
(function () {
  "use strict";
  const { el, set, twoBits } = VQ;
  const STEPS = 800, RATE = 0.1, BETA = 0.25, SHOWN = 8; // steps a picture, while it trains
  const SIZE = 360, LEFT = 40, BASE = 330, GRID = 80;
  const MUS = [0, 3], SIGMAS = [Math.log(0.15), Math.log(2.2)];
  const settings = { kl: VQ.data.kl, sees: VQ.data.sees, start: VQ.data.start };
  let path, timer = null, taken = 0;

  const x = VQ.scale(MUS, [LEFT, SIZE - 4]), y = VQ.scale(SIGMAS, [BASE, 4]);

  // Both models begin with the same white output, and with a decoder that knows nothing yet.
  function train() {
    let vae = { mu: settings.start, logSigma: 0, a: 0 };
    let vq = { mu: settings.start, code: 0.5, a: 0 };
    path = [];
    for (let t = 0; t <= STEPS; t++) {
      path.push({ vae, seen: twoBits.lookVae(vae, settings), vq: twoBits.lookVq(vq, settings) });
      vae = twoBits.stepVae(vae, { ...settings, rate: RATE });
      vq = twoBits.stepVq(vq, { ...settings, rate: RATE, beta: BETA });
    }
  }

  // ---- the surface: the loss with the best decoder, by mu and sigma ----
  const canvas = VQ.sharpCanvas(SIZE, SIZE);
  let surface = null;
  function measure() {
    const values = new Float64Array(GRID * GRID);
    let best = { value: Infinity };
    for (let row = 0; row < GRID; row++) {
      for (let column = 0; column < GRID; column++) {
        const mu = MUS[0] + ((column + 0.5) * (MUS[1] - MUS[0])) / GRID;
        const logSigma = SIGMAS[1] - ((row + 0.5) * (SIGMAS[1] - SIGMAS[0])) / GRID;
        const value = twoBits.cost(mu, Math.exp(logSigma), settings);
        values[row * GRID + column] = value;
        if (value < best.value) best = { value, mu, logSigma };
      }
    }
    const silent = (2 - settings.sees) * Math.log(2); // at mu 0 and sigma 1
    surface = { values, silent, best: best.value < silent - 1e-4 ? best : { value: silent, mu: 0, logSigma: 0 } };
  }

  const BAND = 0.06; // nats from one line to the next
  function drawSurface(now) {
    const { context } = canvas, dark = document.documentElement.dataset.theme === "dark";
    context.clearRect(0, 0, SIZE, SIZE);
    const band = (i) => Math.floor((surface.values[i] - surface.best.value) / BAND);
    const edge = (i, scale, length) => Math.round(scale + (i * length) / GRID);
    for (let i = 0; i < GRID * GRID; i++) {
      const level = Math.min(1, (band(i) * BAND) / 1.6 + 0.07 * (band(i) % 2)), row = Math.floor(i / GRID), column = i % GRID;
      context.fillStyle = `hsl(205 60% ${dark ? 44 - 30 * level : 62 + 34 * level}%)`;
      const [left, top] = [edge(column, LEFT, SIZE - 4 - LEFT), edge(row, 4, BASE - 4)];
      context.fillRect(left, top, edge(column + 1, LEFT, SIZE - 4 - LEFT) - left, edge(row + 1, 4, BASE - 4) - top);
    }
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = context.strokeStyle = VQ.color("ink");
    context.textAlign = "center";
    for (const mu of [0, 1, 2, 3]) context.fillText(String(mu), Math.min(x(mu), SIZE - 9), BASE + 15);
    context.fillText("\u03bc, where white lies", (LEFT + SIZE) / 2, SIZE - 3);
    context.textAlign = "right";
    for (const sigma of [0.2, 0.5, 1, 2]) context.fillText(String(sigma), LEFT - 5, y(Math.log(sigma)) + 4);
    context.save();
    context.translate(10, BASE / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = "center";
    context.fillText("\u03c3, how blurred", 0, 0);
    context.restore();

    const place = ({ mu, logSigma }) => [
      x(Math.min(MUS[1], Math.max(MUS[0], Math.abs(mu)))), y(Math.min(SIGMAS[1], Math.max(SIGMAS[0], logSigma)))];
    context.lineWidth = 2.5;
    context.strokeStyle = VQ.color("vermilion");
    context.beginPath();
    path.slice(0, now + 1).forEach(({ vae }, i) => context[i ? "lineTo" : "moveTo"](...place(vae)));
    context.stroke();
    ring(place({ mu: 0, logSigma: 0 }), 8);
    star(place(surface.best));
    context.fillStyle = VQ.color("vermilion");
    context.beginPath();
    context.arc(...place(path[now].vae), 5, 0, 2 * Math.PI);
    context.fill();
  }

  function ring(place, radius) {
    const { context } = canvas;
    context.strokeStyle = VQ.color("ink");
    context.lineWidth = 2;
    context.beginPath();
    context.arc(...place, radius, 0, 2 * Math.PI);
    context.stroke();
  }
  function star([u, v]) {
    const { context } = canvas;
    context.beginPath();
    for (let i = 0; i < 10; i++) {
      const radius = i % 2 ? 4 : 10, angle = (Math.PI * i) / 5 - Math.PI / 2;
      context[i ? "lineTo" : "moveTo"](u + radius * Math.cos(angle), v + radius * Math.sin(angle));
    }
    context.closePath();
    context.fillStyle = VQ.color("yellow");
    context.fill();
    context.strokeStyle = VQ.color("ink");
    context.lineWidth = 1;
    context.stroke();
  }

  // ---- charts and words ----
  const costs = VQ.lineChart({ label: "Loss of VAE and VQ-VAE against the step, nats" });
  const knows = VQ.lineChart({ label: "What the latent knows against the step, nats" });
  const told = el("p", { class: "told", id: "told", "aria-live": "off" });

  const nats = (value) => value.toFixed(2);
  function sentence(now) {
    const { seen, vq } = path[now], best = surface.best;
    const goal = best.mu > 0.05
      ? `The cheapest VAE speaks: ${nats(best.value)} nats, where silence costs ${nats(surface.silent)}.`
      : `The cheapest VAE is silent, at ${nats(surface.silent)} nats.`;
    const here = seen.knows > 0.3
      ? `After ${now} steps this one tells ${nats(seen.knows)} nats of the bit's 0.69.`
      : `After ${now} steps this one tells ${nats(seen.knows)} nats of the bit's 0.69: it has ` +
        `${now < STEPS ? "not learned to speak" : best.mu > 0.05 ? "not left its silence, though it would pay" : "collapsed, as it should"}.`;
    return `${goal} ${here} The VQ-VAE tells ${nats(vq.knows)} and costs ${nats(vq.cost)}.`;
  }

  function draw() {
    const now = taken, past = path.slice(0, now + 1), steps = past.map((_, t) => t);
    drawSurface(now);
    const top = 2.2;
    costs.draw([
      { color: "vermilion", values: past.map(({ seen }) => seen.cost) },
      { color: "blue", dash: [5, 3], values: past.map(({ vq }) => vq.cost) },
    ], steps, { top });
    knows.draw([
      { color: "vermilion", values: past.map(({ seen }) => seen.knows) },
      { color: "blue", dash: [5, 3], values: past.map(({ vq }) => vq.knows) },
    ], steps, { top: 0.8 });
    told.textContent = sentence(now);
    run.textContent = timer === null ? "Train" : "Pause";
    set(canvas, { "aria-label": `Loss of the VAE by mu and sigma, and the path of its training. ${sentence(now)}` });
    VQ.state(`${JSON.stringify(settings)}; step ${now}; ${timer === null ? "still" : "running"}; knows ${path[now].seen.knows.toFixed(4)}; ` +
      `cost ${path[now].seen.cost.toFixed(4)}; vq ${path[now].vq.cost.toFixed(4)}`);
    VQ.announce(sentence(now));
  }

  function pause() {
    cancelAnimationFrame(timer);
    timer = null;
  }
  function frame() {
    taken = Math.min(STEPS, taken + SHOWN);
    timer = taken < STEPS ? requestAnimationFrame(frame) : null;
    draw();
  }
  function again() {
    pause();
    taken = 0;
    measure();
    train();
    draw();
  }

  const run = VQ.button("Train", () => {
    if (timer !== null) pause();
    else {
      if (taken === STEPS) taken = 0;
      if (VQ.still()) taken = STEPS;
      else timer = requestAnimationFrame(frame);
    }
    draw();
  });
  run.id = "run";
  const finish = VQ.button("To the end", () => { pause(); taken = STEPS; draw(); });
  finish.id = "end";
  const choose = (label, id, name, { min, max, step, show }) => VQ.slider({
    label, id, min, max, step, value: settings[name], show, act: (value) => { settings[name] = value; again(); },
  });

  VQ.root.append(
    choose("Weight of the KL term", "kl", "kl", { min: 0, max: 2, step: 0.05, show: (v) => v.toFixed(2) }),
    choose("How much of the first pixel the decoder sees", "sees", "sees", { min: 0, max: 1, step: 0.05, show: (v) => `${Math.round(100 * v)} %` }),
    choose("Where the encoder starts, \u03bc", "start", "start", { min: 0, max: 2, step: 0.01, show: (v) => v.toFixed(2) }),
    el("div", { class: "row buttons" }, run, finish),
    told,
    el("div", { class: "columns" },
      el("div", {}, el("p", { class: "label" }, "The VAE's loss with the best decoder: darker is lower. Ring: says nothing; star: cheapest"), canvas),
      el("div", {},
        el("p", { class: "label" }, "Loss, nats: VAE (vermilion), VQ-VAE (blue, dashed)"), costs,
        el("p", { class: "label" }, "What the latent knows, of 0.69 nats"), knows)),
  );
  VQ.onTheme(draw);
  again();
})();
