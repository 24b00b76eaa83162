// A track: a canvas as wide as its place on the page, sharp on any screen, with an SVG of the same
// size over it for what moves. track({height, attributes}) is an element with .paint(draw), where
// draw(context, width, height) counts in CSS pixels, .overlay and .width().
//
// What is drawn on tracks: VQ.track.wave, .cells and .picture.
VQ.track = (function () {
  "use strict";
  const { el, set } = VQ;

  function track({ height, attributes = {} }) {
    const canvas = el("canvas", {});
    const overlay = el("svg", { "aria-hidden": "true" });
    const node = el("div", { ...attributes, class: "track", style: `height: ${height}px` }, canvas, overlay);

    const width = () => Math.max(1, node.clientWidth);
    function paint(draw) {
      const sharp = window.devicePixelRatio || 1;
      set(canvas, { width: Math.round(width() * sharp), height: Math.round(height * sharp) });
      set(overlay, { viewBox: `0 0 ${width()} ${height}` });
      const context = canvas.getContext("2d");
      context.scale(sharp, sharp);
      draw(context, width(), height);
    }
    return Object.assign(node, { paint, overlay, width });
  }

  // Samples from..to as a wave in a box; `loudest` fills it. As high at each pixel as between its
  // lowest and its highest sample.
  track.wave = function (context, samples, from, to, { x, y, width, height }, loudest, color) {
    context.fillStyle = color;
    const middle = y + height / 2, unit = height / 2 / Math.max(loudest, 1e-6);
    const per = (to - from) / width;
    for (let column = 0; column < width; column++) {
      const start = Math.floor(from + column * per);
      let low = samples[start] ?? 0, high = low;
      for (let i = start + 1; i < from + (column + 1) * per && i < samples.length; i++) {
        low = Math.min(low, samples[i]);
        high = Math.max(high, samples[i]);
      }
      context.fillRect(x + column, middle - high * unit, 1, Math.max(1, (high - low) * unit));
    }
  };

  // Codes first..last as coloured cells in a box; colour(code) is a CSS colour.
  track.cells = function (context, codes, first, last, { x, y, width, height }, color) {
    const cell = width / (last - first), gap = cell >= 4 ? 1 : 0;
    for (let i = first; i < last; i++) {
      context.fillStyle = color(codes[i]);
      // Without a gap a cell reaches a little under the next, or the ground would shine through.
      context.fillRect(x + (i - first) * cell, y, gap ? cell - gap : cell + 0.5, height);
    }
  };

  // Bytes as ink of that strength, on a canvas of their own, to be drawn on tracks.
  track.picture = function ({ width, height, levels }, ink) {
    const [red, green, blue] = [1, 3, 5].map((i) => parseInt(ink.slice(i, i + 2), 16));
    const canvas = el("canvas", { width, height });
    const context = canvas.getContext("2d"), image = context.createImageData(width, height);
    levels.forEach((level, i) => image.data.set([red, green, blue, level], 4 * i));
    context.putImageData(image, 0, 0);
    return canvas;
  };

  return track;
})();
