// A `Decoder` of networks.py, from what `decoder_data` of codes.py wrote.
VQ.decoder = (function () {
  "use strict";
  const { FeatureMap, rows, convolution, doubling, convolve, double, residuals } = VQ.network;

  // decoder(data) has the codebook, `vector(k)`, and `on(height, width)`: for maps of so many codes
  // a function decode(codes, box) that gives the picture as a FeatureMap, around [-1, 1] and not
  // clamped. Without a box all of it is computed; with one, what the codes in the box reach. A code
  // below 0 is none: its vector is zero, as it is beyond the map's edge. Another function than
  // `vector` may say what vector a number stands for.
  return function (data) {
    const codebook = rows(data.codebook), first = convolution(data.from_codes);
    const doublings = data.doublings.map(doubling), width0 = data.from_codes.weight.steps.shape[0];
    const outputs = data.doublings.map(({ weight }) => weight.steps.shape[0]);
    const none = new Float32Array(codebook.length);
    const vector = (k) => codebook.values.subarray(k * codebook.length, (k + 1) * codebook.length);

    function on(height, width) {
      const vectors = new FeatureMap(height, width, codebook.length);
      const start = new FeatureMap(height, width, width0);
      const blocks = residuals(data.residuals, height, width, width0);
      const pictures = outputs.map((count, i) => (
        new FeatureMap(height << (i + 1), width << (i + 1), count)));

      return function (codes, box = vectors.everywhere(), vectorOf = vector) {
        const values = vectors.values;
        for (let y = box.y0; y <= box.y1; y++) {
          for (let x = box.x0; x <= box.x1; x++) {
            const code = codes[y * width + x];
            values.set(code < 0 ? none : vectorOf(code), vectors.place(y, x));
          }
        }
        let now = blocks(start, convolve(first, vectors, start, box));
        doublings.forEach((layer, i) => {
          const rectified = i < doublings.length - 1;
          const reached = double(layer, now.map, pictures[i], now.box, { rectified });
          now = { map: pictures[i], box: reached };
        });
        return now.map;
      };
    }
    return { count: codebook.shape[0], size: codebook.length, vector, on };
  };
})();
