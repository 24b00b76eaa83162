// A `GatedPixelCNN` of pixelcnn.py, from what `prior_data` wrote.
//
// It goes along the map as `sample` of sampling.py does, and nothing is computed twice. The
// vertical stack of a row knows the rows above alone: it is computed for the whole row as soon as
// the row above is known. The horizontal stack then goes along the row, and with it the attention,
// where there is any: each place looks at itself and at all before it. All features of all layers
// stay, so that one may go back to any place and take another code there.
VQ.prior = (function () {
  "use strict";
  const { allocate, floats, addProducts } = VQ.kernel;
  const { rows, matrix, upToEight } = VQ.network;
  const FLOAT = 4; // bytes

  // All that is computed lies in the kernel's memory. Whoever computes takes a view of all of it,
  // `all`, and `at`, `from` and `to` count its floats.
  const room = (count) => allocate(count) / FLOAT;

  // Adds to all[to...] what a layer makes of `count` places side by side, of which the first begins
  // at all[from]; `down` floats on is the next row of inputs.
  function multiply({ parts, stored, outer }, from, to, count = 1, down = 0) {
    parts.forEach(({ address, inner }, r) => addProducts(
      FLOAT * (from + r * down), FLOAT * stored, inner, address, outer, FLOAT * to, FLOAT * outer, count));
  }

  // A layer from its rows, with a matrix for each row of its kernel. It reads places of `stored`
  // floats and writes places of `outer`, both with some that are 0 where the kernel wants them.
  function layerOf(read, bias = null) {
    const { shape, length } = read, inputs = shape[shape.length - 1], stored = upToEight(inputs);
    const high = shape.length === 4 ? shape[1] : 1, run = length / high;
    const parts = Array.from({ length: high }, (_, r) => matrix(read, (run / inputs) * stored, (i) => {
      const c = i % stored;
      return c < inputs ? r * run + Math.floor(i / stored) * inputs + c : -1;
    }));
    const { outer } = parts[0], begin = new Float32Array(outer);
    if (bias) begin.set(VQ.unpack(bias).values);
    return { parts, stored, outer, bias: begin };
  }

  const linear = ({ weight, bias }) => layerOf(rows(weight), bias);

  // What a condition adds, half to the vertical gates and half to the horizontal ones: for each
  // thing that it is made of, with so many channels each, two layers.
  function conditionOf({ weight }, channels) {
    const { shape: [outputs], length, values } = rows(weight), half = outputs / 2;
    let first = 0;
    return channels.map((count) => {
      const from = first;
      first += count;
      return [0, half].map((output) => layerOf({
        shape: [half, count], length: count, values: Float32Array.from({ length: half * count }, (_, i) => (
          values[(output + Math.floor(i / count)) * length + from + (i % count)])),
      }));
    });
  }

  // Adds tanh(a) * sigmoid(b) to all[to...], a and b the halves of all[from...].
  function gate(all, from, half, to) {
    for (let i = 0; i < half; i++) {
      all[to + i] += Math.tanh(all[from + i]) / (1 + Math.exp(-all[from + half + i]));
    }
  }

  // What `positions` of attention.py says of each place: sines and cosines of its row and column.
  // Returns where a row begins.
  function positions(height, width, channels) {
    const quarter = channels / 4, step = upToEight(channels), start = room(height * width * step);
    const all = floats(0);
    for (let place = 0; place < height * width; place++) {
      const at = start + place * step;
      [Math.floor(place / width), place % width].forEach((along, axis) => {
        for (let c = 0; c < quarter; c++) {
          const angle = (2 * Math.PI * along) / 2 ** (2 + c);
          all[at + 2 * axis * quarter + c] = Math.sin(angle);
          all[at + (2 * axis + 1) * quarter + c] = Math.cos(angle);
        }
      });
    }
    return (y) => start + y * width * step;
  }

  // A `CausalAttention` along a map of so many places: look(all, at, place) adds to the features
  // of a place, which are at all[at...], what it finds at the places up to itself. Its channels are
  // whole heads, of 16.
  function attentionOn({ head, scale, shift, look, out }, channels, places) {
    const many = upToEight(places); // keys: a row for each channel; values: for each head and place
    const [keys, values] = [room(channels * many), room(channels * places)];
    const [normed, parts, shares, found] = [channels, 3 * channels, many, channels].map(room);

    return function (all, at, place) {
      let mean = 0, spread = 0;
      for (let i = 0; i < channels; i++) mean += all[at + i] / channels;
      for (let i = 0; i < channels; i++) spread += (all[at + i] - mean) ** 2 / channels;
      for (let i = 0; i < channels; i++) {
        all[normed + i] = ((all[at + i] - mean) / Math.sqrt(spread + 1e-5)) * scale[i] + shift[i];
      }
      all.fill(0, parts, parts + 3 * channels);
      multiply(look, normed, parts);
      all.fill(0, found, found + channels);
      for (let start = 0; start < channels; start += head) {
        const query = parts + start, key = query + channels, value = key + channels;
        for (let i = 0; i < head; i++) all[keys + (start + i) * many + place] = all[key + i];
        all.copyWithin(values + start * places + place * head, value, value + head);

        all.fill(0, shares, shares + many);
        addProducts(FLOAT * query, 0, head, FLOAT * (keys + start * many), many, FLOAT * shares, 0, 1);
        let highest = -Infinity, sum = 0;
        for (let i = shares; i <= shares + place; i++) highest = Math.max(highest, all[i]);
        for (let i = shares; i <= shares + place; i++) {
          all[i] = Math.exp((all[i] - highest) / Math.sqrt(head));
          sum += all[i];
        }
        addProducts(FLOAT * shares, 0, place + 1, FLOAT * (values + start * places), head,
          FLOAT * (found + start), 0, 1);
        for (let i = start; i < start + head; i++) all[found + i] /= sum;
      }
      multiply(out, found, at);
    };
  }

  // prior(data) has `count`, K, and on(height, width, features), which gives an empty map of so
  // many codes. `features` is a FeatureMap that the prior is conditioned on, where it wants one.
  //   known()        how many codes it has, from the first place on, row by row
  //   put(code)      the code of the next place
  //   back(place)    forgets the codes from that place on
  //   restart()      forgets everything: the features are others now
  //   logits(place)  of all codes at a place, known or the next, given the codes before it
  return function (data) {
    const embedding = rows(data.embedding), channels = embedding.length, reach = data.reach;
    const layers = data.layers.map(({ condition, ...layer }) => ({
      ...Object.fromEntries(Object.entries(layer).map(([name, part]) => [name, linear(part)])),
      conditions: condition ? conditionOf(condition, [data.features, data.positions].filter(Boolean)) : [],
    }));
    const attention = Object.entries(data.attention).map(([l, { head, norm, look, out }]) => [l, {
      head, scale: VQ.unpack(norm.scale).values, shift: VQ.unpack(norm.shift).values,
      look: linear(look), out: linear(out),
    }]);
    const [hidden, last] = data.head.map(linear), [count] = data.head[1].weight.steps.shape;
    const vector = (k) => embedding.values.subarray(k * channels, (k + 1) * channels);
    const size = upToEight(channels), both = upToEight(2 * channels); // floats of a place

    function on(height, width, features = null) {
      // Features lie with zeros around them, as many as the kernels reach over the edge.
      const vRow = (width + 2 * reach) * size, hRow = (width + reach) * size;
      const vAt = (y, x) => (y + reach) * vRow + (x + reach) * size;
      const hAt = (y, x) => y * hRow + (reach + x) * size;
      const gatesAt = (y, x) => (y * width + x) * both;
      const maps = (count, size) => Array.from({ length: count }, () => room(size));
      const vertical = maps(layers.length + 1, (height + reach) * vRow);
      const horizontal = maps(layers.length + 1, height * hRow);
      const gates = maps(layers.length, height * width * both);
      const codes = new Int32Array(height * width);
      const open = room(width * both), cell = room(size); // gates, and what they let through
      const [found, inner, result] = [size, size, last.outer].map(room);
      const given = [ // where a row of each part of the condition begins
        data.features && ((y) => features.address(y, 0) / FLOAT),
        data.positions && positions(height, width, data.positions),
      ].filter(Boolean);
      const looks = Object.fromEntries(attention.map(
        ([l, part]) => [l, attentionOn(part, channels, height * width)]));
      // Codes that are known; rows and places whose features are there.
      let known = 0, rowsDone = 0, placesDone = 0;

      function computeRow(all, y) {
        for (let x = 0; y > 0 && x < width; x++) {
          all.set(vector(codes[(y - 1) * width + x]), vertical[0] + vAt(y, x));
        }
        layers.forEach((layer, l) => {
          const below = vertical[l] + vAt(y, 0), above = vertical[l + 1] + vAt(y, 0);
          const onward = gates[l] + gatesAt(y, 0);
          for (let x = 0; x < width; x++) {
            all.set(layer.vertical.bias, open + x * both);
            all.set(layer.down.bias, onward + x * both);
          }
          layer.conditions.forEach((parts, i) => parts.forEach((part, horizontal) => (
            multiply(part, given[i](y), horizontal ? onward : open, width))));
          multiply(layer.vertical, below - reach * (vRow + size), open, width, vRow);
          all.copyWithin(above, below, below + width * size);
          for (let x = 0; x < width; x++) gate(all, open + x * both, channels, above + x * size);
          multiply(layer.down, above, onward, width);
        });
      }

      function computePlace(all, y, x) {
        const at = hAt(y, x), here = gatesAt(y, x);
        if (x > 0) all.set(vector(codes[y * width + x - 1]), horizontal[0] + at);
        layers.forEach((layer, l) => {
          const h = horizontal[l] + at, next = horizontal[l + 1] + at;
          all.copyWithin(open, gates[l] + here, gates[l] + here + both);
          multiply(layer.horizontal, h - reach * size, open);
          all.fill(0, cell, cell + size);
          gate(all, open, channels, cell);
          all.copyWithin(next, h, h + size);
          multiply(layer.out, cell, next);
          if (looks[l]) looks[l](all, next, y * width + x);
        });
      }

      function logits(place) {
        if (!(place >= 0 && place <= known && place < codes.length)) {
          throw new RangeError(`place must be known or the next, 0 to ${known}, got ${place}`);
        }
        const all = floats(0);
        for (; placesDone <= place; placesDone++) {
          const y = Math.floor(placesDone / width);
          for (; rowsDone <= y; rowsDone++) computeRow(all, rowsDone);
          computePlace(all, y, placesDone % width);
        }
        const at = horizontal[layers.length] + hAt(Math.floor(place / width), place % width);
        for (let i = 0; i < size; i++) all[found + i] = Math.max(0, all[at + i]);
        all.set(hidden.bias, inner);
        multiply(hidden, found, inner);
        for (let i = 0; i < size; i++) all[inner + i] = Math.max(0, all[inner + i]);
        all.set(last.bias, result);
        multiply(last, inner, result);
        return Float64Array.from(all.subarray(result, result + count));
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

      function restart() {
        [known, rowsDone, placesDone] = [0, 0, 0];
      }

      return { known: () => known, put, back, restart, logits };
    }
    return { count, on };
  };
})();
