// A whole VQ-VAE in the page: pictures to codes and back, for pictures of one size.
//
// vqvae(data, {height, width}) has the model's name, its decoder (see decoder.js), rows and columns
// of its maps, bits of one, and
//   prepare()                   makes its networks, which the first of the others does too
//   encode(pixels)              height x width x 3 bytes to {codes, vectors}: the codes row by row,
//                               and the encoder's vectors, rows x columns x size numbers
//   distances(vector)           of a vector to all codes, squared
//   decode(codes, box, vector)  bytes, height x width x 3; see decoder.js
VQ.vqvae = function (data, size) {
  "use strict";
  const { height, width } = size;
  const decoder = VQ.decoder(data.decoder);
  const halvings = data.encoder.halvings.length;
  const rows = height >> halvings, columns = width >> halvings;
  let encoder = null, encodeOn = null, decodeOn = null;

  function prepare() {
    encoder = encoder ?? VQ.encoder(data.encoder, data.decoder.codebook);
    encodeOn = encodeOn ?? encoder.on(height, width);
    decodeOn = decodeOn ?? decoder.on(rows, columns);
  }

  function encode(pixels) {
    prepare();
    const values = new Float32Array(pixels.length);
    for (let i = 0; i < values.length; i++) values[i] = pixels[i] / 127.5 - 1;
    const { vectors } = encodeOn(values);
    return { codes: encoder.nearest(vectors), vectors: vectors.packed() };
  }

  function decode(codes, box, vector) {
    prepare();
    return decodeOn(codes, box, vector).bytes();
  }

  return {
    name: data.name, decoder, rows, columns, prepare, encode, decode,
    distances: (vector) => encoder.distances(vector),
    bits: rows * columns * Math.log2(decoder.count),
  };
};
