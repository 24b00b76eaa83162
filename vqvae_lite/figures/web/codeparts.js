// What a figure shows of a model's codes: how its pictures use them, a card, the palette, distances.
//
// codeParts(model, {scenes, index, around, changed}) counts over the scenes' maps by model number
// `index`; around(canvas, scene, place) draws the pixels around a place of a scene's.
VQ.codeParts = function (model, figure) {
  "use strict";
  const { scenes, index, around, changed } = figure, { colors, decoder, rows, columns } = model;
  const PLACES = rows * columns;
  const uses = Array.from({ length: decoder.count }, () => []); // scene by scene, row by row
  const rgb = (codes) => Uint8Array.from({ length: 3 * codes.length }, (_, i) => (
    colors[3 * codes[Math.floor(i / 3)] + (i % 3)]));
  const tint = (node, k) => VQ.set(node, { style: `background: rgb(${rgb([k]).join(" ")})` });

  const card = VQ.codeCard({
    decoder, uses, tint,
    around: (canvas, use) => around(canvas, scenes[Math.floor(use / PLACES)], use % PLACES),
  });
  const palette = VQ.palette({ model, uses, rgb, tint, changed });
  const distances = VQ.distances({ rgb });

  // Counts again, in the scenes that this model has encoded.
  function count() {
    uses.forEach((list) => { list.length = 0; });
    scenes.forEach(({ views }, s) => {
      views[index]?.codes.forEach((code, i) => uses[code].push(s * PLACES + i));
    });
    card.refresh();
  }

  // Where a scene has a code, as it was encoded.
  const placesIn = (code, s) => uses[code].filter((use) => Math.floor(use / PLACES) === s).map((use) => use % PLACES);
  const mostUsed = () => uses.reduce((best, list, k) => (list.length > uses[best].length ? k : best), 0);
  return { uses, rgb, tint, card, palette, distances, count, placesIn, mostUsed };
};
