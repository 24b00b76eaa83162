// A `Decoder` of networks.py in plain JavaScript, from what `decoder_data` wrote.
//
// A map holds its channels last, so that the loops that count run along one array. Every layer
// keeps its output: after a change of a few codes only the places that it reaches are computed
// again, and each layer is told which by a box {x0, y0, x1, y1}, both ends included.
VQ.decoder = (function () {
  "use strict";

  // The weights of four output channels lie side by side: one read of an input serves all four.
  function load({ weight, scale, bias }) {
    const [outputs, size, , inputs] = weight.shape;
    const steps = VQ.unpack(weight).values, scales = VQ.unpack(scale).values;
    const count = size * size * inputs;
    const weights = new Float64Array(4 * Math.ceil(outputs / 4) * count);
    for (let o = 0; o < outputs; o++) {
      const start = (o >> 2) * 4 * count + (o & 3);
      for (let i = 0; i < count; i++) weights[start + 4 * i] = steps[o * count + i] * scales[o];
    }
    return { outputs, size, inputs, weights, bias: VQ.unpack(bias).values };
  }

  function map(height, width, channels) {
    return { height, width, channels, values: new Float64Array(height * width * channels) };
  }

  function rectify(from, to, { x0, y0, x1, y1 }) {
    for (let y = y0; y <= y1; y++) {
      const row = y * from.width, end = (row + x1 + 1) * from.channels;
      for (let i = (row + x0) * from.channels; i < end; i++) to.values[i] = Math.max(0, from.values[i]);
    }
  }

  // A convolution of stride 1 that keeps the size; or, doubling, a transposed one of stride 2,
  // padding 1, where output y gets weight ky from input (y + 1 - ky) / 2 if that is a whole
  // number. `plus` is a map to add, `relu` whether to rectify the sum. Returns the box it filled.
  function convolve(layer, from, to, reached, { doubling = false, plus = null, relu = false } = {}) {
    const { outputs, size, inputs, weights, bias } = layer;
    const pad = doubling ? 1 : (size - 1) / 2;
    const first = (at) => Math.max(0, doubling ? 2 * at - 1 : at - pad);
    const last = (at, count) => Math.min(count - 1, doubling ? 2 * at + 2 : at + pad);
    const box = {
      x0: first(reached.x0), x1: last(reached.x1, to.width),
      y0: first(reached.y0), y1: last(reached.y1, to.height),
    };
    const source = (at, k, count) => {
      const place = doubling ? (at + 1 - k) / 2 : at + k - pad;
      return Number.isInteger(place) && place >= 0 && place < count ? place : -1;
    };
    const x = from.values;
    for (let block = 0; block < outputs; block += 4) {
      const start = block * size * size * inputs;
      for (let oy = box.y0; oy <= box.y1; oy++) {
        for (let ox = box.x0; ox <= box.x1; ox++) {
          let a = 0, b = 0, c = 0, d = 0;
          for (let ky = 0; ky < size; ky++) {
            const iy = source(oy, ky, from.height);
            if (iy < 0) continue;
            for (let kx = 0; kx < size; kx++) {
              const ix = source(ox, kx, from.width);
              if (ix < 0) continue;
              let w = start + 4 * (ky * size + kx) * inputs;
              const end = (iy * from.width + ix + 1) * inputs;
              for (let i = end - inputs; i < end; i++, w += 4) {
                const v = x[i];
                a += v * weights[w];
                b += v * weights[w + 1];
                c += v * weights[w + 2];
                d += v * weights[w + 3];
              }
            }
          }
          const sums = [a, b, c, d], place = (oy * to.width + ox) * outputs + block;
          for (let j = 0; j < Math.min(4, outputs - block); j++) {
            const sum = sums[j] + bias[block + j] + (plus ? plus.values[place + j] : 0);
            to.values[place + j] = relu ? Math.max(0, sum) : sum;
          }
        }
      }
    }
    return box;
  }

  // decoder(data, height, width) for maps of height x width codes: decode(codes, box) computes
  // again what codes in the box reach, all of the picture if none is given. Returns the picture
  // as {height, width, channels, values}, around [-1, 1] and not clamped.
  return function (data, height, width) {
    const codebook = load(data.codebook), fromCodes = load(data.from_codes);
    const like = () => map(height, width, fromCodes.outputs);
    const vectors = map(height, width, fromCodes.inputs);
    return null;
  };
})();
