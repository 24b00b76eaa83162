// A `GatedPixelCNN` of pixelcnn.py in plain JavaScript, from what `prior_data` wrote.
//
// It goes along the map as `sample` of sampling.py does, and nothing is computed twice. The
// vertical stack of a row knows the rows above alone: it is computed for the whole row as soon as
// the row above is known. The horizontal stack then goes along the row, and with it the attention,
// where there is any: each place looks at itself and at all before it. All features of all layers
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

  // As `rows`, for steps of a few bits each too, which `pack` lays one after another.
  function rowsOf({ steps, step }) {
    const narrow = /^int([2-7])$/.exec(steps.dtype);
    if (!narrow) return rows({ steps, step });
    const { shape } = steps, bits = +narrow[1], half = 1 << (bits - 1);
    const bytes = VQ.unpack({ ...steps, dtype: "uint8" }).values, size = VQ.unpack(step).values;
    const values = new Float64Array(shape.reduce((a, b) => a * b, 1)), length = values.length / shape[0];
    for (let i = 0, held = 0, have = 0, at = 0; i < values.length; i++) {
      if (have < bits) {
        held = (held << 8) | bytes[at++];
        have += 8;
      }
      have -= bits;
      values[i] = ((held >> have) - half) * size[Math.floor(i / length)];
      held &= (1 << have) - 1;
    }
    return { shape, length, values };
  }

  function linear({ weight, bias }) {
    const read = rowsOf(weight);
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

  // What `positions` of attention.py says of each place: sines and cosines of its row and column.
  function positions(height, width, channels) {
    const quarter = channels / 4, values = new Float64Array(height * width * channels);
    for (let place = 0; place < height * width; place++) {
      const at = place * channels;
      [Math.floor(place / width), place % width].forEach((along, axis) => {
        for (let c = 0; c < quarter; c++) {
          const angle = (2 * Math.PI * along) / 2 ** (2 + c);
          values[at + 2 * axis * quarter + c] = Math.sin(angle);
          values[at + (2 * axis + 1) * quarter + c] = Math.cos(angle);
        }
      });
    }
    return values;
  }

  // A `CausalAttention` along a map of so many places: look(h, at, place) adds to the features of
  // a place, which are at h[at...], what it finds at the places up to itself.
  function attentionOn({ head, norm, look, out }, channels, places) {
    const [scale, shift] = [norm.scale, norm.shift].map((part) => VQ.unpack(part).values);
    const [looking, onward] = [look, out].map(linear);
    const nothing = new Float64Array(3 * channels), parts = new Float64Array(3 * channels);
    const keys = new Float64Array(places * channels), values = new Float64Array(places * channels);
    const normed = new Float64Array(channels), found = new Float64Array(channels);
    const shares = new Float64Array(places);

    return function (h, at, place) {
      let mean = 0, spread = 0;
      for (let i = 0; i < channels; i++) mean += h[at + i] / channels;
      for (let i = 0; i < channels; i++) spread += (h[at + i] - mean) ** 2 / channels;
      for (let i = 0; i < channels; i++) {
        normed[i] = ((h[at + i] - mean) / Math.sqrt(spread + 1e-5)) * scale[i] + shift[i];
      }
      multiply(looking, normed, [0], nothing, 0, parts, 0);
      keys.set(parts.subarray(channels, 2 * channels), place * channels);
      values.set(parts.subarray(2 * channels), place * channels);
      for (let start = 0; start < channels; start += head) {
        let highest = -Infinity, sum = 0;
        for (let other = 0; other <= place; other++) {
          let score = 0;
          for (let i = start; i < start + head; i++) score += parts[i] * keys[other * channels + i];
          shares[other] = score / Math.sqrt(head);
          highest = Math.max(highest, shares[other]);
        }
        found.fill(0, start, start + head);
        for (let other = 0; other <= place; other++) {
          const share = Math.exp(shares[other] - highest);
          sum += share;
          for (let i = start; i < start + head; i++) found[i] += share * values[other * channels + i];
        }
        for (let i = start; i < start + head; i++) found[i] /= sum;
      }
      multiply(onward, found, [0], h, at, h, at);
    };
  }

  // prior(data) has `count`, K, and on(height, width), which gives an empty map of so many codes:
  //   known()        how many codes it has, from the first place on, row by row
  //   put(code)      the code of the next place
  //   back(place)    forgets the codes from that place on
  //   logits(place)  of all codes at a place, known or the next, given the codes before it
  return function (data) {
    const embedding = rowsOf(data.embedding), channels = embedding.length, reach = data.reach;
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
      const where = data.positions ? positions(height, width, data.positions) : null;
      const told = new Float64Array(4 * channels), nothing = new Float64Array(4 * channels);
      const attention = Object.fromEntries(Object.entries(data.attention).map(
        ([l, part]) => [l, attentionOn(part, channels, height * width)]));
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
            if (where) {
              const place = (y * width + x) * data.positions;
              multiply(layer.condition, where, [place], nothing, 0, told, 0);
              for (let i = 0; i < 2 * channels; i++) both[i] += told[i];
            }
            gate(both, cell);
            for (let i = 0; i < channels; i++) above[at + i] = below[at + i] + cell[i];
            multiply(layer.down, above, [at], layer.down.bias, 0, gates[l], gatesAt(y, x));
            for (let i = 0; where && i < 2 * channels; i++) {
              gates[l][gatesAt(y, x) + i] += told[2 * channels + i];
            }
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
          if (attention[l]) attention[l](horizontal[l + 1], at, y * width + x);
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
