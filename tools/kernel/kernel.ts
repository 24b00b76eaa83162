// The one inner loop of every network that runs in a page, four numbers at a time.
//
// to += from · weights: `count` rows of `inner` floats, times a matrix of (inner, outer), added to
// `count` rows of `outer` floats. Addresses are in bytes; the rows of `from` and of `to` lie a step
// of their own apart, so that a row of a map serves as it lies: a convolution of stride 2 takes
// every other place, and a transposed one fills every other place. `outer` is a multiple of 8.
export function addProducts(
  from: usize, fromStep: usize, inner: usize, weights: usize, outer: usize,
  to: usize, toStep: usize, count: usize,
): void {
  const weightStep = outer << 2, end = inner << 2;
  let row: usize = 0;
  // Four rows at once: each weight that is read serves four times, and all sums stay in registers.
  for (; row + 4 <= count; row += 4) {
    const a = from + row * fromStep, b = a + fromStep, c = b + fromStep, d = c + fromStep;
    const toA = to + row * toStep, toB = toA + toStep, toC = toB + toStep, toD = toC + toStep;
    for (let o: usize = 0; o < weightStep; o += 32) {
      let a0 = v128.load(toA + o), a1 = v128.load(toA + o, 16);
      let b0 = v128.load(toB + o), b1 = v128.load(toB + o, 16);
      let c0 = v128.load(toC + o), c1 = v128.load(toC + o, 16);
      let d0 = v128.load(toD + o), d1 = v128.load(toD + o, 16);
      for (let i: usize = 0, w = weights + o; i < end; i += 4, w += weightStep) {
        const w0 = v128.load(w), w1 = v128.load(w, 16);
        let x = v128.load_splat<f32>(a + i);
        a0 = f32x4.add(a0, f32x4.mul(x, w0));
        a1 = f32x4.add(a1, f32x4.mul(x, w1));
        x = v128.load_splat<f32>(b + i);
        b0 = f32x4.add(b0, f32x4.mul(x, w0));
        b1 = f32x4.add(b1, f32x4.mul(x, w1));
        x = v128.load_splat<f32>(c + i);
        c0 = f32x4.add(c0, f32x4.mul(x, w0));
        c1 = f32x4.add(c1, f32x4.mul(x, w1));
        x = v128.load_splat<f32>(d + i);
        d0 = f32x4.add(d0, f32x4.mul(x, w0));
        d1 = f32x4.add(d1, f32x4.mul(x, w1));
      }
      v128.store(toA + o, a0); v128.store(toA + o, a1, 16);
      v128.store(toB + o, b0); v128.store(toB + o, b1, 16);
      v128.store(toC + o, c0); v128.store(toC + o, c1, 16);
      v128.store(toD + o, d0); v128.store(toD + o, d1, 16);
    }
  }
  for (; row < count; row++) {
    const a = from + row * fromStep, toA = to + row * toStep;
    for (let o: usize = 0; o < weightStep; o += 32) {
      let a0 = v128.load(toA + o), a1 = v128.load(toA + o, 16);
      for (let i: usize = 0, w = weights + o; i < end; i += 4, w += weightStep) {
        const x = v128.load_splat<f32>(a + i);
        a0 = f32x4.add(a0, f32x4.mul(x, v128.load(w)));
        a1 = f32x4.add(a1, f32x4.mul(x, v128.load(w, 16)));
      }
      v128.store(toA + o, a0); v128.store(toA + o, a1, 16);
    }
  }
}
