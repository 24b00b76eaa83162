// Convolutions for the networks that run in a page, from what `layer_data` of codes.py wrote.
//
// A map has its channels last and a border of zeros, one place wide. So what a kernel sees of a row
// is one run of numbers, at the edge too, and a layer is a few products of the kernel's, one for
// each of its rows. Every layer keeps what it gave: when a few places change, only what they reach
// is computed again. These lie in a box {x0, y0, x1, y1}, both ends included, which grows from
// layer to layer.
VQ.network = (function () {
  "use strict";
  const { allocate, floats, addProducts } = VQ.kernel;
  const FLOAT = 4; // bytes
  const upToEight = (count) => 8 * Math.ceil(count / 8); // as the kernel wants its outputs

  // What `pack_steps` wrote: numbers as whole steps, each row with a step of its own.
  function rows({ steps, step }) {
    const { values, shape } = VQ.unpack(steps), size = VQ.unpack(step).values;
    const length = values.length / shape[0], read = new Float32Array(values.length);
    for (let row = 0, i = 0; row < shape[0]; row++) {
      for (const end = i + length; i < end; i++) read[i] = values[i] * size[row];
    }
    return { shape, length, values: read };
  }

  // Rows as a matrix in the kernel's memory, (inner, outputs): what it multiplies with input i are
  // the numbers at(i) of the rows, or zeros where at(i) is negative.
  function matrix({ shape, length, values }, inner = length, at = (i) => i) {
    const outer = upToEight(shape[0]), address = allocate(inner * outer);
    const to = floats(address, inner * outer);
    for (let i = 0; i < inner; i++) {
      const from = at(i);
      for (let o = 0; o < shape[0] && from >= 0; o++) to[i * outer + o] = values[o * length + from];
    }
    return { address, inner, outer };
  }

  // A convolution that keeps the size, or with stride 2 halves it: one matrix for each row of the
  // kernel. `stored` are the channels of the map it reads, with those that are 0.
  function convolution({ weight, bias }, { stride = 1, stored = null } = {}) {
    const read = rows(weight), [outputs, size, , inputs] = read.shape;
    const channels = stored ?? upToEight(inputs);
    const parts = Array.from({ length: size }, (_, ky) => matrix(read, size * channels, (i) => {
      const kx = Math.floor(i / channels), c = i % channels;
      return c < inputs ? (ky * size + kx) * inputs + c : -1;
    }));
    return { size, stride, parts, bias: biasOf(bias, outputs) };
  }

  // A transposed convolution of 4 x 4, stride 2 and padding 1: input i reaches outputs 2 i - 1 + k.
  // So output 2 j sees inputs j - 1 and j, by k = 3 and 1, and output 2 j + 1 sees j and j + 1, by 2
  // and 0: along each axis two neighbours, and even and odd places have weights of their own.
  const SEEN = [[3, 1], [2, 0]];
  function doubling({ weight, bias }) {
    const read = rows(weight), [outputs, size, , inputs] = read.shape, channels = upToEight(inputs);
    const parts = SEEN.map((down) => down.map((ky) => SEEN.map((across) => (
      matrix(read, 2 * channels, (i) => {
        const kx = across[Math.floor(i / channels)], c = i % channels;
        return c < inputs ? (ky * size + kx) * inputs + c : -1;
      })))));
    return { parts, bias: biasOf(bias, outputs) };
  }

  function biasOf(bias, outputs) {
    const values = new Float32Array(upToEight(outputs));
    if (bias) values.set(VQ.unpack(bias).values);
    return values;
  }

  class FeatureMap {
    // `channels` of which `stored` are kept, the others 0: the kernel gives them by the eight.
    constructor(height, width, channels, stored = upToEight(channels)) {
      Object.assign(this, { height, width, channels, stored });
      this.row = (width + 2) * stored; // floats from one row to the next
      this.size = (height + 2) * this.row;
      this.at = allocate(this.size);
    }
    // All floats, border included, and where those of a place begin among them.
    get values() { return floats(this.at, this.size); }
    place(y, x) { return (y + 1) * this.row + (x + 1) * this.stored; }
    address(y, x) { return this.at + FLOAT * this.place(y, x); }
    everywhere() { return { x0: 0, y0: 0, x1: this.width - 1, y1: this.height - 1 }; }
    // The numbers of one place.
    vector(y, x) { return this.values.slice(this.place(y, x), this.place(y, x) + this.channels); }
    // Without border and padding: height x width x channels.
    packed() {
      const { height, width, channels, stored, values } = this;
      const all = new Float32Array(height * width * channels);
      for (let y = 0, to = 0; y < height; y++) {
        for (let x = 0, from = this.place(y, 0); x < width; x++, from += stored) {
          for (let c = 0; c < channels; c++) all[to++] = values[from + c];
        }
      }
      return all;
    }
    // The same as the bytes of a picture, of numbers in [-1, 1].
    bytes() {
      const values = this.packed(), made = new Uint8ClampedArray(values.length);
      for (let i = 0; i < made.length; i++) made[i] = (values[i] + 1) * 127.5;
      return made;
    }
  }

  // Writes what the products are added to: the bias, and `plus`, a map, where there is one.
  function begin(to, { x0, y0, x1, y1 }, bias, plus = null) {
    const values = to.values, others = plus?.values;
    for (let y = y0; y <= y1; y++) {
      for (let x = x0, at = to.place(y, x0); x <= x1; x++) {
        for (let c = 0; c < to.stored; c++, at++) values[at] = bias[c] + (plus ? others[at] : 0);
      }
    }
  }

  function relu(from, to, { x0, y0, x1, y1 }) {
    const read = from.values, write = to.values, length = (x1 - x0 + 1) * from.stored;
    for (let y = y0; y <= y1; y++) {
      for (let i = from.place(y, x0), end = i + length; i < end; i++) write[i] = Math.max(0, read[i]);
    }
  }

  // Computes the outputs that the inputs in `box` reach, with the map `plus` added where there is
  // one, and rectified where `rectified`; returns the box of these outputs.
  function convolve(layer, from, to, box, { plus = null, rectified = false } = {}) {
    const { size, stride, parts, bias } = layer;
    const before = stride === 2 ? 1 : (size - 1) / 2; // places that the kernel sees to the left
    const low = (at) => Math.max(0, Math.ceil((at + before - size + 1) / stride));
    const high = (at, count) => Math.min(count - 1, Math.floor((at + before) / stride));
    const reached = {
      x0: low(box.x0), y0: low(box.y0), x1: high(box.x1, to.width), y1: high(box.y1, to.height),
    };
    begin(to, reached, bias, plus);
    for (let y = reached.y0; y <= reached.y1; y++) {
      parts.forEach(({ address, inner, outer }, k) => addProducts(
        from.address(y * stride - before + k, reached.x0 * stride - before),
        FLOAT * stride * from.stored, inner, address, outer,
        to.address(y, reached.x0), FLOAT * to.stored, reached.x1 - reached.x0 + 1));
    }
    if (rectified) relu(to, to, reached);
    return reached;
  }

  // As `convolve`, for a doubling.
  function double({ parts, bias }, from, to, box, { rectified = false } = {}) {
    const low = (at) => Math.max(0, at - 1), high = (at, count) => Math.min(count - 1, at + 1);
    const [x0, x1] = [low(box.x0), high(box.x1, from.width)]; // of halves of outputs
    const [y0, y1] = [low(box.y0), high(box.y1, from.height)];
    const reached = { x0: 2 * x0, y0: 2 * y0, x1: 2 * x1 + 1, y1: 2 * y1 + 1 };
    begin(to, reached, bias);
    for (let y = reached.y0; y <= reached.y1; y++) {
      const odd = y % 2, above = (y + odd) / 2 - 1; // of the two rows that it sees
      parts[odd].forEach((across, k) => across.forEach(({ address, inner, outer }, right) => addProducts(
        from.address(above + k, x0 - 1 + right), FLOAT * from.stored, inner, address, outer,
        to.address(y, 2 * x0 + right), 2 * FLOAT * to.stored, x1 - x0 + 1)));
    }
    if (rectified) relu(to, to, reached);
    return reached;
  }

  // The residual blocks of a network, on maps of one size: run(from, box) gives the map that they
  // make of another, rectified for the layer that follows, and its box.
  function residuals(blocks, height, width, channels) {
    const layers = blocks.map((block) => block.map((part) => convolution(part)));
    const like = () => new FeatureMap(height, width, channels), last = like();
    const maps = layers.map(() => ({ rectified: like(), inner: like(), sum: like() }));
    return function (from, box) {
      let now = from;
      maps.forEach(({ rectified, inner, sum }, i) => {
        relu(now, rectified, box);
        box = convolve(layers[i][0], rectified, inner, box, { rectified: true });
        convolve(layers[i][1], inner, sum, box, { plus: now });
        now = sum;
      });
      relu(now, last, box);
      return { map: last, box };
    };
  }

  return {
    FeatureMap, upToEight, rows, matrix, biasOf, begin, relu,
    convolution, doubling, convolve, double, residuals,
  };
})();
