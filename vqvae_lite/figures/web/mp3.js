// Sounds out of the page itself: VQ.mp3({rate, tick}) is a function load(mp3, length), which promises
// so many samples at this rate.
VQ.mp3 = (function () {
  "use strict";

  return function ({ rate, tick }) {
    let delay = null;

    // A context that is never heard gives the samples at the rate at which they were coded.
    async function decode(mp3) {
      const bytes = Uint8Array.from(atob(mp3), (c) => c.charCodeAt(0));
      const buffer = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes.buffer);
      return buffer.getChannelData(0);
    }

    // MP3 puts silence before a sound, and not every browser takes it away again: as much of it as
    // the tick comes late.
    async function late() {
      const samples = await decode(tick.sound);
      return samples.reduce((best, v, i) => (Math.abs(v) > Math.abs(samples[best]) ? i : best), 0) - tick.at;
    }

    return async function (mp3, length) {
      delay = delay ?? late();
      const skip = await delay, decoded = await decode(mp3);
      const samples = new Float32Array(length);
      samples.set(decoded.subarray(skip, skip + length));
      return samples;
    };
  };
})();
