// Pictures as bytes: height x width x 3, row by row. pixels({width, height, rows, columns}) has what
// a figure does with those of one size, whose maps have so many rows and columns.
VQ.pixels = function (shape) {
  "use strict";
  const { width: WIDTH, height: HEIGHT, rows: ROWS, columns: COLUMNS } = shape;

  // What the encoder gives: for each number of a vector a small map, blue below 0 and red above.
  function paintChannels(canvas, vectors) {
    const size = vectors.length / (ROWS * COLUMNS);
    let down = Math.floor(Math.sqrt(size));
    while (size % down) down -= 1;
    const across = size / down;
    const [w, h] = [across * (COLUMNS + 1) - 1, down * (ROWS + 1) - 1];
    const image = new Uint8ClampedArray(3 * w * h).fill(128);
    const strong = 2.5 * Math.sqrt(vectors.reduce((sum, v) => sum + v * v, 0) / vectors.length) || 1;
    vectors.forEach((value, i) => {
      const c = i % size, place = Math.floor(i / size), share = Math.min(1, Math.abs(value) / strong);
      const x = (c % across) * (COLUMNS + 1) + (place % COLUMNS);
      const y = Math.floor(c / across) * (ROWS + 1) + Math.floor(place / COLUMNS);
      const far = value > 0 ? [213, 94, 0] : [0, 114, 178];
      image.set(far.map((v) => 255 + (v - 255) * share), 3 * (y * w + x));
    });
    VQ.paint(canvas, image, w, h);
    VQ.set(canvas, { "aria-label": `The ${size} numbers of the encoder's vectors, each as a map` });
  }

  // Where two pictures differ: black is equal, and white a third of the whole scale or more. Gives
  // the mean difference, in grey levels, and how many pixels are off by more than one.
  function paintDifference(canvas, from, made) {
    const heat = new Uint8ClampedArray(made.length);
    let sum = 0, changed = 0;
    for (let i = 0; i < made.length; i += 3) {
      let off = 0, most = 0;
      for (let c = i; c < i + 3; c++) {
        off += Math.abs(from[c] - made[c]) / 3;
        most = Math.max(most, Math.abs(from[c] - made[c]));
      }
      sum += off;
      changed += most > 1 ? 1 : 0;
      const share = off / 85;
      heat.set([255 * share, 255 * share * share, 255 * (share - 0.6) * 2.5], i);
    }
    VQ.paint(canvas, heat, WIDTH, HEIGHT);
    return { mean: sum / (WIDTH * HEIGHT), changed };
  }

  // In dB.
  function psnr(from, made) {
    const error = made.reduce((sum, v, i) => sum + (v - from[i]) ** 2, 0) / made.length;
    return 10 * Math.log10(255 ** 2 / error);
  }

  // Copies a part of a picture; what would lie outside stays clear.
  function crop(canvas, pixels, x, y, w, h) {
    const context = VQ.set(canvas, { width: w, height: h }).getContext("2d"), image = context.createImageData(w, h);
    for (let i = 0; i < w * h; i++) {
      const [px, py] = [x + (i % w), y + Math.floor(i / w)];
      if (px < 0 || py < 0 || px >= WIDTH || py >= HEIGHT) continue;
      const from = 3 * (py * WIDTH + px);
      image.data.set([pixels[from], pixels[from + 1], pixels[from + 2], 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
  }

  // Of a picture that the browser has drawn, as many pictures one below the other as it holds.
  function read(image, count) {
    const context = VQ.el("canvas", { width: WIDTH, height: count * HEIGHT }).getContext("2d");
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, WIDTH, count * HEIGHT), size = 3 * WIDTH * HEIGHT;
    return Array.from({ length: count }, (_, f) => {
      const picture = new Uint8ClampedArray(size);
      for (let i = 0, from = (4 * f * size) / 3; i < size; i += 3, from += 4) {
        for (let c = 0; c < 3; c++) picture[i + c] = data[from + c];
      }
      return picture;
    });
  }

  return { paintChannels, paintDifference, psnr, crop, read };
};
