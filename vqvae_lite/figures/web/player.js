// Stretches of sounds, played one after another.
//
// player({rate, tick, ended}) has .load(mp3, length), a promise of so many samples; .wake(), to be
// called by a click before anything is awaited; .play(pieces), each {samples, from, to};
// .stop(); and .now(), the piece and the sample that are heard at the moment, or null.
VQ.player = (function () {
  "use strict";
  const GAP = 0.12, EDGE = 0.005; // seconds: between pieces, and to fade in and out without a click

  return function ({ rate, tick, ended }) {
    const load = VQ.mp3({ rate, tick });
    let context = null, playing = null;

    function wake() {
      context = context ?? new AudioContext();
      context.resume();
    }

    function play(pieces) {
      stop();
      let when = context.currentTime + 0.05;
      const mine = { pieces: [], sources: [] };
      for (const piece of pieces) {
        const seconds = (piece.to - piece.from) / rate;
        const buffer = context.createBuffer(1, piece.to - piece.from, rate);
        buffer.copyToChannel(piece.samples.subarray(piece.from, piece.to), 0);
        const source = context.createBufferSource(), gain = context.createGain();
        source.buffer = buffer;
        source.connect(gain).connect(context.destination);
        gain.gain.setValueAtTime(0, when);
        gain.gain.linearRampToValueAtTime(1, when + EDGE);
        gain.gain.setValueAtTime(1, when + seconds - EDGE);
        gain.gain.linearRampToValueAtTime(0, when + seconds);
        source.start(when);
        mine.pieces.push({ ...piece, when, end: when + seconds });
        mine.sources.push(source);
        when += seconds + GAP;
      }
      mine.sources.at(-1).addEventListener("ended", () => {
        if (playing === mine) stop();
      });
      playing = mine;
    }

    function stop() {
      if (!playing) return;
      const { sources } = playing;
      playing = null;
      sources.forEach((source) => source.stop());
      ended();
    }

    function now() {
      if (!playing) return null;
      const time = context.currentTime - (context.outputLatency || 0);
      const index = playing.pieces.findIndex(({ end }) => time < end);
      const piece = playing.pieces[index];
      if (!piece || time < piece.when) return null;
      return { ...piece, index, sample: piece.from + (time - piece.when) * rate };
    }

    return { load, wake, play, stop, now };
  };
})();
