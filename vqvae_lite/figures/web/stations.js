// What is said at each station of a picture's way through the model: stations(facts) is a sentence
// or two for each name.
VQ.stations = function (facts) {
  "use strict";
  const { WIDTH, HEIGHT, ROWS, COLUMNS, model, place, far, off, codes, psnr } = facts;
  const number = (n) => n.toLocaleString("en");
  const { decoder: { count, size }, bits } = model;
  const nearest = far.indexOf(Math.min(...far)), pixelBits = 24 * WIDTH * HEIGHT;
  const every = WIDTH / COLUMNS;
  return {
    start: "Press \u201cNext step\u201d to follow the picture through the model.",
    picture: `The picture: ${WIDTH} by ${HEIGHT} pixels of three bytes, ${number(pixelBits)} bits.`,
    encoder: `The encoder gives a vector of ${size} numbers for every ${every} by ${every} pixels: ${COLUMNS} by ` +
      `${ROWS} vectors. Each small map shows one of the ${size} numbers, blue below 0 and red above.`,
    distances: `Each vector is compared with all ${count} codes. At ${place} the nearest is code ${nearest}, ` +
      `${Math.sqrt(far[nearest]).toFixed(2)} away. Point at another square of the map.`,
    codes: `Only the number of the nearest code is kept (argmin): ${number(ROWS * COLUMNS)} codes of ` +
      `${Math.log2(count).toFixed(Number.isInteger(Math.log2(count)) ? 0 : 1)} bits, ${number(Math.round(bits))} bits in all; ` +
      `${number(new Set(codes).size)} different codes stand here.`,
    decoder: "The decoder looks up the vector of each code, and paints the picture from these vectors alone.",
    difference: `What was lost: ${off.mean.toFixed(1)} grey levels of 255 on average; PSNR ${psnr.toFixed(1)} dB, with ` +
      `${(pixelBits / bits).toFixed(0)} times fewer bits than the pixels have.`,
    back: "In training the error\u2019s gradient goes back through the decoder to the codes\u2019 vectors. The choice of " +
      "the nearest has no gradient, so it is copied past it, straight to the encoder\u2019s vectors, and goes on " +
      "through the encoder. The codebook learns by a loss of its own.",
  };
};
