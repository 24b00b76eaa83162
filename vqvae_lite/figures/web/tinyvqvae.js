// A VQ-VAE of the plane, small enough to be trained while one looks on: an encoder and a decoder of
// two layers each, a codebook, Adam. A test holds its steps to those of PyTorch and the package.
//
// VQ.tiny.start({seed, hidden, codes}) is a model: a dictionary of arrays of numbers, two numbers
// after another for each point, code or unit. VQ.tiny.step(model, points, settings) takes one step
// on all points and returns what it saw; VQ.tiny.look(model, points) takes none.
VQ.tiny = (function () {
  "use strict";
  const SEEN_DECAY = 0.99; // of the counts where the codebook learns by gradient: as in the package
  const LEARNED = ["w1", "b1", "w2", "b2", "v1", "c1", "v2", "c2"]; // encoder, decoder
  const BETA1 = 0.9, BETA2 = 0.999, EPSILON = 1e-8;

  // Numbers in [0, 1) from a whole number, the same in every browser (mulberry32).
  function random(seed) {
    let a = seed >>> 0;
    return () => {
      a = (a + 0x6d2b79f5) >>> 0;
      let t = Math.imul(a ^ (a >>> 15), 1 | a);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  function start({ seed, hidden, codes }) {
    const draw = random(seed);
    const uniform = (count, bound) => Float64Array.from({ length: count }, () => (2 * draw() - 1) * bound);
    const wide = 1 / Math.sqrt(2), narrow = 1 / Math.sqrt(hidden); // PyTorch's bounds for layers
    return fresh({
      w1: uniform(2 * hidden, wide), b1: uniform(hidden, wide),
      w2: uniform(2 * hidden, narrow), b2: uniform(2, narrow),
      v1: uniform(2 * hidden, wide), c1: uniform(hidden, wide),
      v2: uniform(2 * hidden, narrow), c2: uniform(2, narrow),
      codebook: uniform(2 * codes, 1 / codes), // the package's first codebook
    });
  }

  // A model from its weights: nothing was counted, no step was taken.
  function fresh(weights) {
    const model = { steps: 0, moments: {} };
    for (const [name, values] of Object.entries(weights)) model[name] = Float64Array.from(values);
    model.count = new Float64Array(model.codebook.length / 2);
    return model;
  }

  // Two numbers in, two out, a tanh in the middle: (input, inner, output) for each of n points.
  function through(first, bias, second, bias2, input) {
    const n = input.length / 2, h = bias.length;
    const inner = new Float64Array(n * h), output = new Float64Array(2 * n);
    for (let i = 0; i < n; i++) {
      let u = bias2[0], v = bias2[1];
      for (let j = 0; j < h; j++) {
        const a = Math.tanh(first[2 * j] * input[2 * i] + first[2 * j + 1] * input[2 * i + 1] + bias[j]);
        inner[i * h + j] = a;
        u += second[j] * a;
        v += second[h + j] * a;
      }
      output[2 * i] = u;
      output[2 * i + 1] = v;
    }
    return { input, inner, output };
  }

  // The gradients of both layers, and of the input, from that of the output.
  function back({ input, inner }, first, second, upstream) {
    const n = input.length / 2, h = second.length / 2;
    const grads = [2 * h, h, 2 * h, 2, 2 * n].map((length) => new Float64Array(length));
    const [dFirst, dBias, dSecond, dBias2, dInput] = grads;
    for (let i = 0; i < n; i++) {
      const gu = upstream[2 * i], gv = upstream[2 * i + 1];
      dBias2[0] += gu;
      dBias2[1] += gv;
      for (let j = 0; j < h; j++) {
        const a = inner[i * h + j];
        dSecond[j] += gu * a;
        dSecond[h + j] += gv * a;
        const g = (gu * second[j] + gv * second[h + j]) * (1 - a * a);
        dBias[j] += g;
        for (const d of [0, 1]) {
          dFirst[2 * j + d] += g * input[2 * i + d];
          dInput[2 * i + d] += g * first[2 * j + d];
        }
      }
    }
    return grads;
  }

  const encode = (model, points) => through(model.w1, model.b1, model.w2, model.b2, points);
  const decode = (model, latents) => through(model.v1, model.c1, model.v2, model.c2, latents).output;

  // Equation 1 of the paper: the nearest code, the lowest where codes tie.
  function nearest(codebook, rows) {
    return Int32Array.from({ length: rows.length / 2 }, (_, i) => {
      let best = 0, least = Infinity;
      for (let k = 0; k < codebook.length / 2; k++) {
        const distance = (rows[2 * i] - codebook[2 * k]) ** 2 + (rows[2 * i + 1] - codebook[2 * k + 1]) ** 2;
        if (distance < least) [best, least] = [k, distance];
      }
      return best;
    });
  }

  const lookup = (codebook, codes) =>
    Float64Array.from({ length: 2 * codes.length }, (_, i) => codebook[2 * codes[i >> 1] + (i & 1)]);
  const square = (a, b) => a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / a.length;

  // As `restart_codes` of the package: codes whose count is at most `share` of the uniform use, or
  // that are copies of one before them, are put on outputs of the encoder, spread over them.
  function restart(model, rows, share) {
    const n = rows.length / 2, { codebook, count } = model;
    let stride = Math.max(1, Math.round((n * (Math.sqrt(5) - 1)) / 2));
    const divisor = (a, b) => (b ? divisor(b, a % b) : a);
    while (divisor(stride, n) !== 1) stride += 1;
    const name = (values, i) => `${values[2 * i]} ${values[2 * i + 1]}`;
    const taken = new Set(), waiting = [];
    const seen = new Set();
    count.forEach((c, k) => {
      const copy = seen.has(name(codebook, k));
      seen.add(name(codebook, k));
      if (copy || c <= (share * n) / count.length) waiting.push(k);
      else taken.add(name(codebook, k));
    });
    for (let t = 0; t < n && waiting.length; t++) {
      const row = (t * stride + model.steps) % n;
      if (taken.has(name(rows, row))) continue;
      taken.add(name(rows, row));
      const k = waiting.shift();
      codebook.set(rows.slice(2 * row, 2 * row + 2), 2 * k);
      count[k] = n / count.length;
    }
  }

  // N and e of the appendix's equations 6 to 8; a codebook that learns by gradient is only counted.
  function follow(model, rows, codes, decay) {
    const used = new Float64Array(model.count.length), sums = new Float64Array(model.codebook.length);
    codes.forEach((k, i) => {
      used[k] += 1;
      sums[2 * k] += rows[2 * i];
      sums[2 * k + 1] += rows[2 * i + 1];
    });
    const memory = decay ?? SEEN_DECAY;
    model.count.forEach((c, k) => { model.count[k] = memory * c + (1 - memory) * used[k]; });
    if (decay === null) return;
    for (let i = 0; i < sums.length; i++) {
      const k = i >> 1;
      if (!used[k]) continue;
      model.codebook[i] += ((1 - decay) * (sums[i] - used[k] * model.codebook[i])) / model.count[k];
    }
  }

  function adam(model, name, gradient, rate) {
    const values = model[name];
    const moments = (model.moments[name] ??= [new Float64Array(values.length), new Float64Array(values.length)]);
    const t = model.steps; // counted from 1 here
    gradient.forEach((g, i) => {
      moments[0][i] = BETA1 * moments[0][i] + (1 - BETA1) * g;
      moments[1][i] = BETA2 * moments[1][i] + (1 - BETA2) * g * g;
      const size = Math.sqrt(moments[1][i] / (1 - BETA2 ** t)) + EPSILON;
      values[i] -= ((rate / (1 - BETA1 ** t)) * moments[0][i]) / size;
    });
  }

  // What a model makes of points: outputs of the encoder, codes, losses, perplexity.
  function look(model, points) {
    const encoded = encode(model, points), z = encoded.output;
    const codes = nearest(model.codebook, z), e = lookup(model.codebook, codes);
    const decoded = through(model.v1, model.c1, model.v2, model.c2, e);
    const used = new Array(model.codebook.length / 2).fill(0);
    codes.forEach((k) => { used[k] += 1; });
    const shares = used.filter((c) => c).map((c) => c / codes.length);
    return {
      encoded, z, codes, e, decoded, used, made: decoded.output,
      error: square(decoded.output, points), distance: square(z, e),
      perplexity: Math.exp(-shares.reduce((sum, p) => sum + p * Math.log(p), 0)),
    };
  }

  // One step of Adam on all points.
  // settings: rate; beta; decay, or null for a codebook that learns by gradient; share, of the
  // uniform use, at which a code is restarted, or null; and three switches: copy, whether the
  // decoder's gradient is copied to the encoder; stopEncoder, the sg[] of the codebook's loss;
  // stopCodebook, the sg[] of the commitment loss. Returns what `look` saw before the step, and
  // the gradient at each output of the encoder.
  function step(model, points, { rate, beta, decay, share, copy, stopEncoder, stopCodebook }) {
    if (share !== null) restart(model, encode(model, points).output, share);
    const seen = look(model, points), { z, e, codes } = seen;
    const n = z.length; // of numbers: each loss is a mean over them
    const upstream = seen.made.map((value, i) => (2 * (value - points[i])) / n);
    const [v1, c1, v2, c2, atCode] = back(seen.decoded, model.v1, model.v2, upstream);
    const byGradient = decay === null;
    const atOutput = z.map((value, i) =>
      (copy ? atCode[i] : 0) + ((2 * (value - e[i])) / n) * (beta + (byGradient && !stopEncoder ? 1 : 0)));
    const [w1, b1, w2, b2] = back(seen.encoded, model.w1, model.w2, atOutput);
    const gradients = { w1, b1, w2, b2, v1, c1, v2, c2 };
    if (byGradient) {
      // With the copy forgotten, the decoder's gradient stays where it arises: at the code.
      gradients.codebook = new Float64Array(model.codebook.length);
      z.forEach((value, i) => {
        const pull = ((2 * (e[i] - value)) / n) * (1 + (stopCodebook ? 0 : beta));
        gradients.codebook[2 * codes[i >> 1] + (i & 1)] += pull + (copy ? 0 : atCode[i]);
      });
    }
    follow(model, z, codes, decay);
    model.steps += 1;
    for (const name of LEARNED) adam(model, name, gradients[name], rate);
    if (byGradient) adam(model, "codebook", gradients.codebook, rate);
    return { ...seen, atOutput };
  }

  return { random, start, look, step, decode, nearest };
})();
