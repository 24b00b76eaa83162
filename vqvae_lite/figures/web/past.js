// A `Past` of past.py, from what `past_data` of walk.py wrote: the last few maps of codes, and what
// was done after each of them, to features of the next map. A model that remembers looks at one map
// more, the last that showed the view to come: see memory.py.
VQ.past = (function () {
  "use strict";
  const { FeatureMap, rows, matrix, biasOf, begin, relu, convolution, convolve, upToEight } = VQ.network;
  const { addProducts } = VQ.kernel;
  const FLOAT = 4; // bytes

  // A convolution of 3 x 3 that sees places `apart` from each other: a matrix for each of the nine.
  function spread({ weight, bias }, apart) {
    const read = rows(weight), [outputs, size, , inputs] = read.shape, middle = (size - 1) / 2;
    const taps = Array.from({ length: size * size }, (_, tap) => ({
      ...matrix(read, upToEight(inputs), (i) => (i < inputs ? tap * inputs + i : -1)),
      down: (Math.floor(tap / size) - middle) * apart, right: ((tap % size) - middle) * apart,
    }));
    return { taps, bias: biasOf(bias, outputs) };
  }

  // Row after row; what a tap sees beyond the edge is 0, so there it has nothing to add.
  function spreadOut({ taps }, bias, from, to) {
    const { height, width } = to;
    begin(to, to.everywhere(), bias);
    for (let y = 0; y < height; y++) {
      for (const { address, inner, outer, down, right } of taps) {
        const first = Math.max(0, -right), count = width - Math.abs(right);
        if (y + down < 0 || y + down >= height || count <= 0) continue;
        addProducts(from.address(y + down, first + right), FLOAT * from.stored, inner, address, outer,
          to.address(y, first), FLOAT * to.stored, count);
      }
    }
  }

  // The last of the maps since which the view has turned back to where it was; null for none.
  function sameView(maps, actions, turns, circle) {
    let turned = 0;
    for (let last = actions.length - 1; last >= 0; last--) {
      const turn = turns[actions[last]];
      if (!turn) return null; // the place is another one
      turned += turn;
      if (circle === null ? turned === 0 : turned % circle === 0) return maps[last];
    }
    return null;
  }

  // past(data) has on(height, width): for maps of so many codes {features, look}. look(maps, actions)
  // goes through the network in steps, a layer each, for a page that has other things to do between
  // them; each gives 0, the codes that are known by then. At its end `features` are those of the map
  // after the last. There is an action after each map; where there are fewer maps than it looks at,
  // empty ones stand before them. Of a model that remembers, all maps of the film are given.
  return function (data) {
    const embedding = rows(data.embedding), size = embedding.length, NONE = embedding.shape[0] - 1;
    const mix = convolution(data.mix), width0 = data.mix.weight.steps.shape[0];
    const blocks = data.blocks.map((block) => ({
      spread: spread(block.spread, block.apart), out: convolution(block.out),
    }));
    const tables = data.actions.map(rows), history = tables.length, { turns, circle } = data;
    const looksAt = history + (turns.length ? 1 : 0); // maps
    const vector = (k) => embedding.values.subarray(k * size, (k + 1) * size);

    // What the actions add to each layer's bias, one layer after another.
    function told(actions) {
      const sum = new Float32Array(tables[0].length);
      tables.forEach(({ shape, length, values }, i) => {
        const action = actions[i] ?? shape[0] - 1;
        for (let c = 0; c < length; c++) sum[c] += values[action * length + c];
      });
      return blocks.map((_, b) => sum.subarray(b * width0, (b + 1) * width0));
    }

    function on(height, width) {
      const vectors = new FeatureMap(height, width, looksAt * size);
      const like = () => new FeatureMap(height, width, width0);
      const [rectified, hidden, one, other] = [like(), like(), like(), like()];
      const features = blocks.length % 2 ? other : one;
      const all = one.everywhere();

      function* look(maps, actions) {
        const missing = Array.from({ length: Math.max(0, history - maps.length) }, () => null);
        const values = vectors.values;
        const remembered = turns.length ? [sameView(maps, actions, turns, circle)] : [];
        [...missing, ...maps.slice(-history), ...remembered].forEach((codes, i) => {
          for (let place = 0; place < height * width; place++) {
            const at = vectors.place(Math.floor(place / width), place % width) + i * size;
            values.set(vector(codes ? codes[place] : NONE), at);
          }
        });
        const added = told([...missing, ...actions.slice(-history)]);
        convolve(mix, vectors, one, all);
        yield 0;
        let now = one, next = other;
        for (const [b, block] of blocks.entries()) {
          relu(now, rectified, all);
          spreadOut(block.spread, block.spread.bias.map((v, c) => v + (added[b][c] ?? 0)), rectified, hidden);
          relu(hidden, hidden, all);
          convolve(block.out, hidden, next, all, { plus: now });
          [now, next] = [next, now];
          yield 0;
        }
      }

      return { features, look };
    }
    return { on };
  };
})();
