// Dice that fall the same way whenever they are asked again, and draws from logits by them.
VQ.dice = (function () {
  "use strict";
  // A number in [0, 1) that seed and place decide (the finaliser of MurmurHash3).
  function uniform(seed, place) {
    let h = Math.imul(seed, 0x9e3779b1) ^ Math.imul(place + 1, 0x85ebca77);
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
  }

  function probabilities(logits, temperature) {
    const highest = logits.reduce((a, b) => Math.max(a, b));
    const shares = logits.map((v) => Math.exp((v - highest) / temperature));
    const sum = shares.reduce((a, b) => a + b);
    return shares.map((v) => v / sum);
  }

  // The first code up to which more than `level` of all probability lies.
  function draw(shares, level) {
    let sum = 0;
    const code = shares.findIndex((share) => (sum += share) > level);
    return code < 0 ? shares.indexOf(Math.max(...shares)) : code; // < 0: a sum rounded below level
  }

  return { uniform, probabilities, draw };
})();
