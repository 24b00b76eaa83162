// Memory for the networks that run in a page, and the product in which they spend their time: in
// WebAssembly, four numbers at a time, or in plain JavaScript where a browser refuses that.
VQ.kernel = (function () {
  "use strict";
  const PAGE = 65536; // bytes that WebAssembly's memory grows by

  // What stands in for WebAssembly's memory where there is none.
  class PlainMemory {
    buffer = new ArrayBuffer(PAGE);
    grow(pages) {
      const wider = new Uint8Array(this.buffer.byteLength + pages * PAGE);
      wider.set(new Uint8Array(this.buffer));
      this.buffer = wider.buffer;
    }
  }

  function start() {
    try {
      const bytes = Uint8Array.from(atob(VQ.kernelCode), (c) => c.charCodeAt(0));
      const memory = new WebAssembly.Memory({ initial: 1 });
      const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
      return { memory, addProducts: instance.exports.addProducts };
    } catch {
      return { memory: new PlainMemory(), addProducts: addPlainProducts };
    }
  }

  // As `addProducts` of kernel.ts, which see.
  function addPlainProducts(from, fromStep, inner, weights, outer, to, toStep, count) {
    const all = new Float32Array(memory.buffer);
    for (let row = 0; row < count; row++) {
      const start = (from + row * fromStep) / 4, target = (to + row * toStep) / 4;
      for (let o = 0; o < outer; o += 4) {
        const place = target + o;
        let a = all[place], b = all[place + 1], c = all[place + 2], d = all[place + 3];
        for (let i = start, w = weights / 4 + o; i < start + inner; i++, w += outer) {
          const value = all[i];
          a += value * all[w];
          b += value * all[w + 1];
          c += value * all[w + 2];
          d += value * all[w + 3];
        }
        all[place] = a; all[place + 1] = b; all[place + 2] = c; all[place + 3] = d;
      }
    }
  }

  const { memory, addProducts } = start();
  let end = 0; // bytes taken

  // The address of room for so many floats, all 0.
  function allocate(count) {
    const at = end;
    end += 16 * Math.ceil(count / 4);
    const missing = Math.ceil((end - memory.buffer.byteLength) / PAGE);
    if (missing > 0) memory.grow(missing);
    return at;
  }

  // The floats at an address. They are to be asked for again after any `allocate`: memory that
  // grows is another memory.
  const floats = (at, count) => new Float32Array(memory.buffer, at, count);

  return { allocate, floats, addProducts, fast: addProducts !== addPlainProducts };
})();
