// A `Decoder` of networks.py in plain JavaScript, from what `decoder_data` wrote.
//
// A map holds its channels last, so that the loops that count run along one array. Every layer
// keeps what it gave: when a few codes change, only the places they reach are computed again.
// These lie in a box {x0, y0, x1, y1}, both ends included, which grows from layer to layer.
VQ.decoder = (function () {
  "use strict";

  const { rows, fours, sums, addDots } = VQ.products;

  function layer({ weight, bias }) {
    const { shape: [outputs, size, , inputs] } = weight.steps;
    return { outputs, size, inputs, weights: fours(rows(weight)), bias: VQ.unpack(bias).values };
  }

  function map(height, width, channels) {
    return { height, width, channels, values: new Float64Array(height * width * channels) };
  }

  function relu(from, to, { x0, y0, x1, y1 }) {
    for (let y = y0; y <= y1; y++) {
      const end = (y * from.width + x1 + 1) * from.channels;
      for (let i = (y * from.width + x0) * from.channels; i < end; i++) {
        to.values[i] = Math.max(0, from.values[i]);
      }
    }
  }

  // The inputs that output `at` sees along one axis: place, index of its weight, place, index...
  // A convolution keeps the size. A doubling is a transposed convolution of stride 2 and padding
  // 1: input i reaches outputs 2 i - 1 + k, so output `at` sees (at + 1 - k) / 2 where that is
  // a whole number.
  function taps(at, size, count, doubling) {
    const seen = [];
    for (let k = 0; k < size; k++) {
      const place = doubling ? (at + 1 - k) / 2 : at + k - (size - 1) / 2;
      if (Number.isInteger(place) && place >= 0 && place < count) seen.push(place, k);
    }
    return seen;
  }

  // Computes the outputs that the inputs in `box` reach, with the map `plus` added where there
  // is one, and rectified where `rectified`; returns the box of these outputs.
  function convolve(layer, from, to, box, { doubling = false, plus = null, rectified = false } = {}) {
    const { outputs, size, inputs, weights, bias } = layer, values = from.values;
    const low = (at) => Math.max(0, doubling ? 2 * at - 1 : at - (size - 1) / 2);
    const high = (at, count) => Math.min(count - 1, doubling ? 2 * at + 2 : at + (size - 1) / 2);
    const { x0, x1, y0, y1 } = {
      x0: low(box.x0), x1: high(box.x1, to.width), y0: low(box.y0), y1: high(box.y1, to.height),
    };
    const columns = Array.from({ length: to.width }, (_, x) => taps(x, size, from.width, doubling));
    for (let block = 0; block < outputs; block += 4) {
      for (let y = y0; y <= y1; y++) {
        const above = taps(y, size, from.height, doubling);
        for (let x = x0; x <= x1; x++) {
          sums.fill(0);
          for (let m = 0; m < above.length; m += 2) {
            const row = above[m], ky = above[m + 1], across = columns[x];
            for (let n = 0; n < across.length; n += 2) {
              const column = across[n], kx = across[n + 1];
              addDots(values, (row * from.width + column) * inputs, inputs,
                weights, ((block * size + 4 * ky) * size + 4 * kx) * inputs);
            }
          }
          const place = (y * to.width + x) * outputs + block;
          for (let j = 0; j < 4 && block + j < outputs; j++) {
            const value = sums[j] + bias[block + j] + (plus ? plus.values[place + j] : 0);
            to.values[place + j] = rectified ? Math.max(0, value) : value;
          }
        }
      }
    }
    return { x0, y0, x1, y1 };
  }

  // decoder(data) has the codebook, `vector(k)`, and `on(height, width)`: for maps of so many codes
  // a function decode(codes, box) that gives the picture as {height, width, channels, values},
  // around [-1, 1] and not clamped. Without a box all of it is computed; with one, what the codes
  // in the box reach. A code below 0 is none: its vector is zero, as it is beyond the map's edge.
  return function (data) {
    const codebook = rows(data.codebook), first = layer(data.from_codes);
    const residuals = data.residuals.map((block) => block.map(layer));
    const doublings = data.doublings.map(layer);
    const none = new Float64Array(codebook.length);
    const vector = (k) => codebook.values.subarray(k * codebook.length, (k + 1) * codebook.length);

    function on(height, width) {
      const like = () => map(height, width, first.outputs);
      const vectors = map(height, width, first.inputs), start = like(), last = like();
      const blocks = residuals.map(() => ({ rectified: like(), inner: like(), sum: like() }));
      const pictures = doublings.map((d, i) => map(height << (i + 1), width << (i + 1), d.outputs));

      return function (codes, box = { x0: 0, y0: 0, x1: width - 1, y1: height - 1 }) {
        for (let y = box.y0; y <= box.y1; y++) {
          for (let x = box.x0; x <= box.x1; x++) {
            const place = y * width + x;
            vectors.values.set(codes[place] < 0 ? none : vector(codes[place]), place * first.inputs);
          }
        }
        box = convolve(first, vectors, start, box);
        let now = start;
        blocks.forEach(({ rectified, inner, sum }, i) => {
          const [conv3x3, conv1x1] = residuals[i];
          relu(now, rectified, box);
          box = convolve(conv3x3, rectified, inner, box, { rectified: true });
          convolve(conv1x1, inner, sum, box, { plus: now });
          now = sum;
        });
        relu(now, last, box);
        now = last;
        doublings.forEach((doubling, i) => {
          const rectified = i < doublings.length - 1;
          box = convolve(doubling, now, pictures[i], box, { doubling: true, rectified });
          now = pictures[i];
        });
        return now;
      };
    }
    return { count: codebook.shape[0], size: codebook.length, vector, on };
  };
})();
