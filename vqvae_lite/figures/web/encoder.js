// An `Encoder` of networks.py and the search for the nearest codes, from what `encoder_data` of
// codes.py wrote.
VQ.encoder = (function () {
  "use strict";
  const { FeatureMap, rows, matrix, convolution, convolve, residuals } = VQ.network;
  const { allocate, floats, addProducts } = VQ.kernel;
  const FLOAT = 4; // bytes

  // |z - e|^2 = |z|^2 - 2 z . e + |e|^2: the first term is the same for all codes, the second a
  // product of matrices.
  function search(codebook) {
    const { shape: [count, size], values } = codebook;
    const vectors = { shape: [count, size], length: size, values: values.map((v) => -2 * v) };
    const { address, inner, outer } = matrix(vectors, 8 * Math.ceil(size / 8), (i) => (i < size ? i : -1));
    const lengths = new Float32Array(outer).fill(Infinity);
    for (let k = 0; k < count; k++) {
      lengths[k] = values.subarray(k * size, (k + 1) * size).reduce((sum, v) => sum + v * v, 0);
    }
    const room = new Map(); // rows of so many places, each with a number for every code

    // nearest(map): the code of each place, row by row; of several as near the first.
    return function (map) {
      const codes = new Int32Array(map.height * map.width);
      if (!room.has(map.width)) room.set(map.width, allocate(map.width * outer));
      const at = room.get(map.width), found = floats(at, map.width * outer);
      for (let y = 0; y < map.height; y++) {
        for (let x = 0; x < map.width; x++) found.set(lengths, x * outer);
        addProducts(
          map.address(y, 0), FLOAT * map.stored, inner, address, outer, at, FLOAT * outer, map.width);
        for (let x = 0, from = 0; x < map.width; x++, from += outer) {
          let best = 0;
          for (let k = 1; k < count; k++) if (found[from + k] < found[from + best]) best = k;
          codes[y * map.width + x] = best;
        }
      }
      return codes;
    };
  }

  // encoder(data, codebook) has:
  //   on(height, width)  for pictures of so many pixels a function encode(pixels), of height x
  //                      width x channels numbers in [-1, 1], that gives {layers, vectors}: the
  //                      maps of the halvings, and that of the vectors z_e(x)
  //   nearest(vectors)   their codes
  //   distances(vector)  the squared distance of one vector to every code
  return function (data, codebook) {
    const halvings = data.halvings.map((layer, i) => (
      convolution(layer, { stride: 2, stored: i ? null : layer.weight.steps.shape[3] })));
    const sizes = data.halvings.map(({ weight }) => weight.steps.shape);
    const last = convolution(data.to_codes), [[, , , inputs]] = sizes;
    const read = rows(codebook), nearest = search(read);

    function on(height, width) {
      const picture = new FeatureMap(height, width, inputs, inputs);
      const layers = sizes.map(([outputs], i) => (
        new FeatureMap(height >> (i + 1), width >> (i + 1), outputs)));
      const end = layers[layers.length - 1];
      const blocks = residuals(data.residuals, end.height, end.width, end.channels);
      const vectors = new FeatureMap(end.height, end.width, read.length);

      return function (pixels) {
        const values = picture.values, run = width * inputs;
        for (let y = 0; y < height; y++) {
          values.set(pixels.subarray(y * run, (y + 1) * run), picture.place(y, 0));
        }
        let from = picture;
        halvings.forEach((layer, i) => {
          convolve(layer, from, layers[i], from.everywhere(), { rectified: i < halvings.length - 1 });
          from = layers[i];
        });
        const { map, box } = blocks(end, end.everywhere());
        convolve(last, map, vectors, box);
        return { layers, vectors };
      };
    }

    function distances(vector) {
      return Float32Array.from({ length: read.shape[0] }, (_, k) => {
        let sum = 0;
        for (let i = 0; i < read.length; i++) sum += (vector[i] - read.values[k * read.length + i]) ** 2;
        return sum;
      });
    }
    return { on, nearest, distances };
  };
})();
