// How strong each frequency is at each moment: spectrogram(samples, rate) is {width, height,
// levels}, a byte for each, row by row, the highest frequency first; 255 is the loudest, 0 what is
// 60 dB below it. A column is STEP samples.
VQ.spectrogram = (function () {
  "use strict";
  const STEP = 32, RANGE = 60;

  // Fast Fourier transform, in place; the length is a power of 2.
  function transform(re, im) {
    const n = re.length;
    for (let i = 1, j = 0; i < n; i++) {
      let bit = n >> 1;
      for (; j & bit; bit >>= 1) j ^= bit;
      j ^= bit;
      if (i < j) {
        [re[i], re[j]] = [re[j], re[i]];
        [im[i], im[j]] = [im[j], im[i]];
      }
    }
    for (let half = 1; half < n; half *= 2) {
      for (let k = 0; k < half; k++) {
        const c = Math.cos((-Math.PI * k) / half), s = Math.sin((-Math.PI * k) / half);
        for (let a = k; a < n; a += 2 * half) {
          const b = a + half, x = re[b] * c - im[b] * s, y = re[b] * s + im[b] * c;
          re[b] = re[a] - x;
          im[b] = im[a] - y;
          re[a] += x;
          im[a] += y;
        }
      }
    }
  }

  function spectrogram(samples, rate) {
    const window = 2 ** Math.round(Math.log2(0.016 * rate)); // short enough to show single beats
    const width = Math.ceil(samples.length / STEP), height = window / 2;
    const decibels = new Float32Array(width * height);
    const re = new Float32Array(window), im = new Float32Array(window);
    for (let column = 0; column < width; column++) {
      for (let i = 0; i < window; i++) {
        const at = Math.round((column + 0.5) * STEP) + i - window / 2;
        // High frequencies are weak in speech: the difference of neighbours lifts them.
        const v = (samples[at] ?? 0) - 0.95 * (samples[at - 1] ?? 0);
        re[i] = v * (0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / window));
        im[i] = 0;
      }
      transform(re, im);
      for (let bin = 0; bin < height; bin++) {
        const power = re[bin] ** 2 + im[bin] ** 2;
        decibels[(height - 1 - bin) * width + column] = 10 * Math.log10(power + 1e-12);
      }
    }
    const top = decibels.reduce((a, b) => Math.max(a, b), -Infinity);
    const levels = Uint8ClampedArray.from(decibels, (d) => 255 * (1 + (d - top) / RANGE));
    return { width, height, levels };
  }

  return Object.assign(spectrogram, { STEP });
})();
