// A `GatedPixelCNN` of pixelcnn.py in plain JavaScript, from what `prior_data` wrote.
//
// It goes along the map as `sample` of sampling.py does, and nothing is computed twice. The
// vertical stack of a row knows the rows above alone: it is computed for the whole row as soon as
// the row above is known. The horizontal stack then goes along the row. All features of all layers
// stay, so that one may go back to any place and take another code there.
VQ.prior = (function () {
  "use strict";
  const { rows, fours, sums, addDots } = VQ.products;

  // to[at...] becomes plus[from...] and the products of the weights with the inputs, which are as
  // many runs along `values` as there are `starts`.
  function multiply({ outputs, length, weights }, values, starts, plus, from, to, at) {
    const run = length / starts.length;
    for (let block = 0; block < outputs; block += 4) {
      sums.fill(0);
      for (let r = 0; r < starts.length; r++) {
        addDots(values, starts[r], run, weights, block * length + 4 * r * run);
      }
      const end = Math.min(4, outputs - block);
      for (let j = 0; j < end; j++) to[at + block + j] = plus[from + block + j] + sums[j];
    }
  }

  function linear({ weight, bias }) {
    const read = rows(weight);
    return {
      outputs: read.shape[0], length: read.length, weights: fours(read),
      bias: bias ? VQ.unpack(bias).values : null,
    };
  }

  // tanh(a) * sigmoid(b), a and b the halves of x.
  function gate(x, to) {
    const half = to.length;
    for (let i = 0; i < half; i++) to[i] = Math.tanh(x[i]) / (1 + Math.exp(-x[half + i]));
  }

  // prior(data) has `count`, K, and on(height, width), which gives an empty map of so many codes:
  //   known()        how many codes it has, from the first place on, row by row
  //   put(code)      the code of the next place
  //   back(place)    forgets the codes from that place on
  //   logits(place)  of all codes at a place, known or the next, given the codes before it
  return function (data) {
    const embedding = rows(data.embedding), channels = embedding.length, reach = data.reach;
    const layers = data.layers.map((layer) => (
      Object.fromEntries(Object.entries(layer).map(([name, part]) => [name, linear(part)]))));
    const [hidden, last] = data.head.map(linear);
    const vector = (k) => embedding.values.subarray(k * channels, (k + 1) * channels);

    function on(height, width) {
      // Features lie with zeros around them, as many as the kernels reach over the edge.
      const vWidth = width + 2 * reach, hWidth = width + reach;
      const vAt = (y, x) => ((y + reach) * vWidth + x + reach) * channels;
      const hAt = (y, x) => (y * hWidth + reach + x) * channels;
      const gatesAt = (y, x) => 2 * (y * width + x) * channels;
      const maps = (count, size) => Array.from({ length: count }, () => new Float64Array(size));
      const vertical = maps(layers.length + 1, (height + reach) * vWidth * channels);
      const horizontal = maps(layers.length + 1, height * hWidth * channels);
      const gates = maps(layers.length, 2 * height * width * channels);
      const codes = new Int32Array(height * width);
      const both = new Float64Array(2 * channels), cell = new Float64Array(channels);
      const inner = new Float64Array(channels);
      // Codes that are known; rows and places whose features are there.
      let known = 0, rowsDone = 0, placesDone = 0;

      function computeRow(y) {
        for (let x = 0; y > 0 && x < width; x++) {
          vertical[0].set(vector(codes[(y - 1) * width + x]), vAt(y, x));
        }
        layers.forEach((layer, l) => {
          const below = vertical[l], above = vertical[l + 1];
          for (let x = 0; x < width; x++) {
            const at = vAt(y, x);
            const starts = Array.from({ length: reach + 1 }, (_, r) => vAt(y - reach + r, x - reach));
            multiply(layer.vertical, below, starts, layer.vertical.bias, 0, both, 0);
            gate(both, cell);
            for (let i = 0; i < channels; i++) above[at + i] = below[at + i] + cell[i];
            multiply(layer.down, above, [at], layer.down.bias, 0, gates[l], gatesAt(y, x));
          }
        });
      }

      function computePlace(y, x) {
        const at = hAt(y, x);
        if (x > 0) horizontal[0].set(vector(codes[y * width + x - 1]), at);
        layers.forEach((layer, l) => {
          const h = horizontal[l];
          multiply(layer.horizontal, h, [hAt(y, x - reach)], gates[l], gatesAt(y, x), both, 0);
          gate(both, cell);
          multiply(layer.out, cell, [0], h, at, horizontal[l + 1], at);
        });
      }

      function logits(place) {
        if (!(place >= 0 && place <= known && place < codes.length)) {
          throw new RangeError(`place must be known or the next, 0 to ${known}, got ${place}`);
        }
        for (; placesDone <= place; placesDone++) {
          const y = Math.floor(placesDone / width);
          for (; rowsDone <= y; rowsDone++) computeRow(rowsDone);
          computePlace(y, placesDone % width);
        }
        const at = hAt(Math.floor(place / width), place % width);
        const rectify = (values) => values.map((value) => Math.max(0, value));
        const features = rectify(horizontal[layers.length].subarray(at, at + channels));
        multiply(hidden, features, [0], hidden.bias, 0, inner, 0);
        const result = new Float64Array(last.outputs);
        multiply(last, rectify(inner), [0], last.bias, 0, result, 0);
        return result;
      }

      function put(code) {
        codes[known] = code;
        known += 1;
      }

      function back(place) {
        known = place;
        rowsDone = Math.min(rowsDone, Math.floor(place / width) + 1);
        placesDone = Math.min(placesDone, place + 1);
      }

      return { known: () => known, put, back, logits };
    }
    return { count: last.outputs, on };
  };
})();
