// A `VideoPrior` of video/model.py, from what `video_data` of walk.py wrote: the next map of codes,
// given those before it and what was done.
VQ.dynamics = (function () {
  "use strict";
  const { uniform, probabilities, draw } = VQ.dice;

  // dynamics(data) has on(height, width), for maps of so many codes {map, look, next}.
  //   look(maps, actions)   the past, in steps: see past.js. After it `map`, a map of prior.js, is
  //                         empty and conditioned on it.
  //   next(maps, actions, options)   draws the map after the last, in steps too, a row each; every
  //                         step gives how many codes are there. Options: `codes`, where they go;
  //                         temperature; seed. The dice of a place depend on the seed, on how many
  //                         maps there were before, and on the place.
  return function (data) {
    const past = VQ.past(data.past), prior = VQ.prior(data.frame);

    function on(height, width) {
      const { features, look: lookBack } = past.on(height, width);
      const map = prior.on(height, width, features);

      function* look(maps, actions) {
        yield* lookBack(maps, actions);
        map.restart();
      }

      function* next(maps, actions, { codes, temperature, seed }) {
        yield* look(maps, actions);
        const first = maps.length * height * width;
        for (let place = 0; place < height * width; place++) {
          const code = draw(probabilities(map.logits(place), temperature), uniform(seed, first + place));
          codes[place] = code;
          map.put(code);
          if ((place + 1) % width === 0) yield place + 1;
        }
      }

      return { map, look, next };
    }
    return { count: prior.count, on };
  };
})();
