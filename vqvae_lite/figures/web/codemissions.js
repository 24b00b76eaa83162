// The missions of the figure of a map of codes; see missions.js.
VQ.codeMissions = function (figure) {
  "use strict";
  const { WIDTH, HEIGHT, PLACES, COLUMNS, models, psnr } = figure;
  const EDGE = 3, USES = 8, RED = 50, REACH = 300;
  const across = WIDTH / COLUMNS;

  // The mean colour of the lowest third of a picture.
  function floorOf(pixels) {
    const start = 3 * WIDTH * Math.floor((2 * HEIGHT) / 3), sums = [0, 0, 0];
    for (let i = start; i < pixels.length; i++) sums[i % 3] += pixels[i];
    return sums.map((sum) => (3 * sum) / (pixels.length - start));
  }
  const red = ([r, g, b]) => r > g + RED && r > b + RED;

  // How far the darkest and the brightest pixel lie apart that one place of a map stands for.
  function contrast(pixels, place) {
    const left = (place % COLUMNS) * across, top = Math.floor(place / COLUMNS) * across;
    let low = 255, high = 0;
    for (let y = top; y < top + across; y++) {
      for (let x = left; x < left + across; x++) {
        const i = 3 * (y * WIDTH + x), grey = 0.299 * pixels[i] + 0.587 * pixels[i + 1] + 0.114 * pixels[i + 2];
        [low, high] = [Math.min(low, grey), Math.max(high, grey)];
      }
    }
    return high - low;
  }
  const middle = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

  return [
    {
      title: "Make the floor red",
      task: "Give a frame a red floor. Red codes stand in other frames: take one in hand there, by a click in " +
        "the mode Look, and come back.",
      check: ({ scene, made }) => {
        if (scene.own || red(floorOf(scene.pixels)) || !red(floorOf(made))) return null;
        const [r, g, b] = floorOf(made).map(Math.round);
        return `The floor is red now: on average ${r} red, ${g} green, ${b} blue. No pixel was painted by hand.`;
      },
    },
    {
      title: "Find a code that draws edges",
      task: `Take a code in hand that stands for edges alone: at the places that it stands for (${USES} or more), ` +
        `bright and dark pixels lie at least ${EDGE} times as far apart as at a place of these pictures usually.`,
      check: ({ uses, hand, scenes, scene }) => {
        if (uses[hand].length < USES) return null;
        const at = (use) => contrast(scenes[Math.floor(use / PLACES)].pixels, use % PLACES);
        const usual = middle([...Array(PLACES).keys()].map((i) => contrast(scene.pixels, i)));
        const ours = middle(uses[hand].map(at));
        return ours < EDGE * usual ? null
          : `Code ${hand} draws edges: ${ours.toFixed(0)} grey levels between bright and dark, where ${usual.toFixed(0)} are usual.`;
      },
    },
    {
      title: "One code, many pixels",
      task: `Change exactly one code of a map, so that ${REACH} pixels or more change. (Set the difference to ` +
        "\u201cby your changes\u201d to see which.)",
      check: ({ count, made, view }) => {
        if (count !== 1) return null;
        let changed = 0;
        for (let i = 0; i < made.length; i += 3) {
          const apart = [0, 1, 2].map((c) => Math.abs(made[i + c] - view.plain[i + c]));
          changed += Math.max(...apart) > 1 ? 1 : 0;
        }
        return changed < REACH ? null
          : `One code changed ${changed} pixels: the decoder\u2019s convolutions carry it beyond its own ${across * across}.`;
      },
    },
    ...(models.length > 1 ? [{
      title: "Two models, one picture",
      task: "Bring a picture of your own, and look at it through both models. Which loses less?",
      check: ({ scene }) => {
        if (!scene.own || models.some((_, m) => !scene.views[m]?.plain)) return null;
        const each = models.map(({ name }, m) => `${name}: ${psnr(scene.pixels, scene.views[m].plain).toFixed(1)} dB`);
        return `PSNR, ${each.join("; ")}. A model knows best what it was trained on.`;
      },
    }] : []),
  ];
};
