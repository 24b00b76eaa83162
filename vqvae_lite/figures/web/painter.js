// Paints on a canvas what the decoder makes of a map that may not be full yet, and decodes only what
// has changed since the last time.
//
// painter(decoder, {rows, columns}, canvas) is a function paint(codes, count): codes below 0 are
// none, and only the first `count` places show.
VQ.painter = (function () {
  "use strict";
  return function (decoder, { rows, columns }, canvas) {
    const decode = decoder.on(rows, columns), now = new Int32Array(rows * columns).fill(-1);
    let picture = decode(now);
    return (codes, count) => {
      const box = { x0: columns, x1: -1, y0: rows, y1: -1 };
      codes.forEach((code, i) => {
        if (code === now[i]) return;
        const x = i % columns, y = Math.floor(i / columns);
        [box.x0, box.x1] = [Math.min(box.x0, x), Math.max(box.x1, x)];
        [box.y0, box.y1] = [Math.min(box.y0, y), Math.max(box.y1, y)];
      });
      now.set(codes);
      if (box.x1 >= 0) picture = decode(now, box);
      const { width, height } = picture, cell = width / columns;
      VQ.paint(canvas, picture.bytes(), width, height);
      const x = (count % columns) * cell, y = Math.floor(count / columns) * cell;
      const context = canvas.getContext("2d");
      context.clearRect(x, y, width, cell);
      context.clearRect(0, y + cell, width, height);
    };
  };
})();
