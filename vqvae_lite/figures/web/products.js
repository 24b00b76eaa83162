// Products of weights and inputs, for the networks that run in a page.
VQ.products = (function () {
  "use strict";

  // What `pack_steps` wrote: numbers as whole steps, each row with a step of its own.
  function rows({ steps, step }) {
    const { values, shape } = VQ.unpack(steps), size = VQ.unpack(step).values;
    const length = values.length / shape[0];
    return { shape, length, values: Float64Array.from(values, (v, i) => v * size[Math.floor(i / length)]) };
  }

  // The weights of four rows, which are outputs, side by side: one read of an input serves all
  // four. Weight j of output o is at 4 * ((o >> 2) * length + j) + (o & 3).
  function fours({ shape, length, values }) {
    const weights = new Float64Array(4 * Math.ceil(shape[0] / 4) * length);
    values.forEach((value, i) => {
      const o = Math.floor(i / length);
      weights[4 * ((o >> 2) * length + (i % length)) + (o & 3)] = value;
    });
    return weights;
  }

  // What four outputs get from `count` inputs from i on, with their weights from w on, is added
  // to the four sums. Nearly all the time of a network goes into this loop.
  const sums = new Float64Array(4);
  function addDots(values, i, count, weights, w) {
    let a = sums[0], b = sums[1], c = sums[2], d = sums[3];
    for (const end = i + count; i < end; i++, w += 4) {
      const value = values[i];
      a += value * weights[w];
      b += value * weights[w + 1];
      c += value * weights[w + 2];
      d += value * weights[w + 3];
    }
    sums[0] = a; sums[1] = b; sums[2] = c; sums[3] = d;
  }

  return { rows, fours, sums, addDots };
})();
