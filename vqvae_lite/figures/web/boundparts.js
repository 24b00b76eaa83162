// The two parts of the bound: K and C to choose, the parts as bars beside other models, and as a
// point of the plane of both, where diagonals join what has the same total.
(function () {
  "use strict";
  const { el, set } = VQ;
  const { codes, codebooks, lines, references, ticks } = VQ.data;
  let [k, c] = VQ.data.chosen;

  const totalOf = (model) => model.reconstruction + model.latents;
  const number = (value) => value.toFixed(3);
  // With as many decimals each as the longest has.
  const tickTexts = (list) => {
    const digits = Math.max(...list.map((tick) => (String(tick).split(".")[1] || "").length));
    return list.map((tick) => tick.toFixed(digits));
  };
  const last = (list) => list[list.length - 1];
  // By how much a total is above that of the first of the others, which bars from 0 hardly show.
  const beyond = (model) => {
    const more = Number(number(totalOf(model) - totalOf(references[0])));
    return ` (${more < 0 ? "\u2212" : "+"}${number(Math.abs(more))})`;
  };
  const WIDE = 350; // both drawings, a phone's width, so that their text is as large as the page's

  // ---- controls: one Tab stop for each row, arrow keys inside it ----
  const choice = (label, letter, values, choose) => {
    const take = (i) => { choose(i); draw(); };
    const buttons = values.map((value, i) => set(VQ.button(String(value), () => take(i)), {
      id: `${letter}-${value}`, "aria-label": `${letter} = ${value}`,
    }));
    buttons.forEach((node, i) => VQ.arrowKeys(node, (dx, dy) => {
      const to = Math.min(values.length - 1, Math.max(0, i + dx - dy));
      take(to);
      buttons[to].focus();
    }));
    const group = el("div", { class: "row choice", role: "group", "aria-label": label },
      el("span", { class: "label" }, label), ...buttons);
    const show = (chosen) => buttons.forEach((node, i) => set(node, {
      "aria-pressed": String(i === chosen), tabindex: i === chosen ? 0 : -1,
    }));
    return { group, show };
  };
  const codesChoice = choice("Codes, K", "K", codes, (i) => { k = i; });
  const codebooksChoice = choice("Codebooks, C", "C", codebooks, (i) => { c = i; });
  const sentence = el("p", { class: "sentence number", id: "sentence" });

  // ---- bars: the choice first, then the other models ----
  const ROW = 50, BAR = 18, FLOOR = (1 + references.length) * ROW + 2;
  const along = VQ.scale([0, last(ticks.total)], [1, WIDE - 8]);
  const bars = el("svg", { viewBox: `0 0 ${WIDE} ${FLOOR + 38}`, role: "img", class: "number" });

  // Strokes from bottom left to top right, cut off at both ends of the part.
  function hatch(from, to, top) {
    let path = "";
    for (let foot = from - BAR + 4; foot < to; foot += 5) {
      const a = Math.max(0, from - foot), b = Math.min(BAR, to - foot);
      path += `M${(foot + a).toFixed(1)} ${top + BAR - a} L${(foot + b).toFixed(1)} ${top + BAR - b}`;
    }
    return path;
  }

  const goal = along(totalOf(references[0]));
  function bar(row) {
    const top = row * ROW + 21;
    const box = (name) => el("rect", { class: name, y: top, height: BAR });
    const [reconstruction, kept, edge] = ["reconstruction", "latents", "edge"].map(box);
    const strokes = el("path", { class: "hatch" });
    const cut = el("line", { class: "edge", y1: top, y2: top + BAR });
    const name = el("text", { x: 1, y: top - 6 });
    const sum = el("text", { x: WIDE - 8, y: top - 6, "text-anchor": "end" });
    const rule = el("path", { class: "rule", d: `M${goal} ${top - 4} v4 m0 ${BAR} v7` });
    bars.append(reconstruction, kept, strokes, edge, cut, rule, name, sum);
    return (label, model, saved) => {
      const start = along(0), middle = along(model.reconstruction), end = along(totalOf(model));
      const mark = along(totalOf(model) - saved);
      set(reconstruction, { x: start, width: middle - start });
      set(kept, { x: middle, width: mark - middle });
      set(strokes, { d: saved > 0 ? hatch(mark, end, top) : "" });
      set(edge, { x: middle, width: end - middle });
      set(cut, { x1: mark, x2: mark });
      name.textContent = label;
      sum.replaceChildren(`${number(model.reconstruction)} + ${number(model.latents)} = `,
        el("tspan", { class: "total" }, number(totalOf(model))), model === references[0] ? "" : beyond(model));
    };
  }
  const showChoice = bar(0);
  references.forEach((model, i) => bar(i + 1)(model.name, model, 0));
  bars.append(
    el("line", { class: "axis", x1: along(0), x2: WIDE - 8, y1: FLOOR, y2: FLOOR }),
    ...tickTexts(ticks.total).map((text, i, { length }) => el("text", {
      class: "muted", x: along(ticks.total[i]), y: FLOOR + 15,
      "text-anchor": i === 0 ? "start" : i === length - 1 ? "end" : "middle",
    }, text)),
    el("text", { class: "muted", x: WIDE / 2, y: FLOOR + 33, "text-anchor": "middle" }, "bits per dimension"),
  );
  const saving = el("span", {});
  const swatch = (...marks) => el("svg", { viewBox: "0 0 20 11", "aria-hidden": "true" }, ...marks);
  const area = (name) => el("rect", { class: name, x: 0.5, y: 0.5, width: 19, height: 10 });
  const stroke = (name, d) => el("path", { class: name, d });
  const legend = el("p", { class: "note legend number" },
    el("span", {}, swatch(area("reconstruction")), "reconstruction"),
    el("span", {}, swatch(area("latents"), area("edge")), "prior, or KL divergence"),
    el("span", {}, swatch(stroke("hatch", "M0 11 L11 0 M6 11 L17 0 M12 11 L20 3"), area("edge")), saving),
    el("span", {}, swatch(stroke("rule", "M10 0 v11")), `total of the ${references[0].name}`));

  // ---- the plane: what the latents cost, and what the reconstruction costs ----
  const LEFT = 46, TOP = 26, BOTTOM = 290;
  const [least, most] = [ticks.reconstruction[0], last(ticks.reconstruction)];
  const x = VQ.scale([0, last(ticks.latents)], [LEFT, WIDE - 10]);
  const y = VQ.scale([least, most], [BOTTOM, TOP]);
  const plane = el("svg", { viewBox: `0 0 ${WIDE} 334`, class: "plane number", role: "img" });

  // Where the sum of both is `total`, as far as the plane shows it.
  function equal(total) {
    const from = Math.max(0, total - most), to = Math.min(last(ticks.latents), total - least);
    return { x1: x(from), y1: y(total - from), x2: x(to), y2: y(total - to) };
  }
  const heights = tickTexts(ticks.reconstruction).map((text, i) => el("text", {
    class: "muted", x: LEFT - 6, y: y(ticks.reconstruction[i]) + 4, "text-anchor": "end",
  }, text));
  const step = ticks.reconstruction[1] - least;
  for (let total = least + step; total < most + last(ticks.latents); total += step) {
    plane.append(el("line", { class: "iso", ...equal(total) }));
  }
  plane.append(
    el("line", { class: "axis", x1: LEFT, x2: LEFT, y1: TOP, y2: BOTTOM }),
    el("line", { class: "axis", x1: LEFT, x2: WIDE - 10, y1: BOTTOM, y2: BOTTOM }),
    ...heights,
    ...tickTexts(ticks.latents).map((text, i) => el("text", {
      class: "muted", x: x(ticks.latents[i]), y: BOTTOM + 16, "text-anchor": "middle",
    }, text)),
    el("text", { class: "muted", x: 1, y: 13 }, "reconstruction, bits per dimension"),
    el("text", { class: "muted", x: (LEFT + WIDE) / 2, y: BOTTOM + 36, "text-anchor": "middle" },
      "prior, or KL divergence, bits per dimension"),
  );
  const same = el("line", { class: "iso chosen" });
  plane.append(same);
  const places = lines.map((line) => line.map((model) => [x(model.latents), y(model.reconstruction)]));
  const paths = places.map((line) => el("polyline", {
    points: line.map((place) => place.map((value) => value.toFixed(1)).join()).join(" "),
  }));
  const dots = places.map((line, j) => line.map(([cx, cy], i) => el("circle", {
    cx, cy, r: 4.5, id: `point-${codes[i]}-${codebooks[j]}`,
  }, el("title", {}, `K = ${codes[i]}, C = ${codebooks[j]}: ${number(totalOf(lines[j][i]))}`))));
  const ring = el("circle", { class: "ring", r: 8.5 });
  const codesNames = codes.map((K) => el("text", { "text-anchor": "end" }, String(K)));
  const codebooksNames = places.map(([[left, top]], j) => el(
    "text", { x: left + 9, y: top - 5 }, `C = ${codebooks[j]}`));
  plane.append(...paths, ...dots.flat(), ...codebooksNames, ...codesNames, ring);
  const namesOfOthers = [];
  references.forEach((model) => {
    const [left, top] = [x(model.latents), y(model.reconstruction)];
    const side = left < 0.6 * WIDE
      ? { x: left + 12, "text-anchor": "start" }
      : { x: left - 12, "text-anchor": "end" };
    const wide = 8 * model.name.length, right = side["text-anchor"] === "start";
    namesOfOthers.push({ start: right ? side.x - 20 : side.x - wide, end: right ? side.x + wide : side.x + 20, top: top + 4.5 });
    plane.append(
      el("path", { class: "other", d: `M${left} ${top - 7} l7 7 l-7 7 l-7 -7 z` }),
      el("text", { ...side, y: top + 4.5 }, model.name),
    );
  });
  // Whether a number at a spot would lie on the name of another model.
  function hidden(name, [u, v, anchor]) {
    const wide = 9 * name.textContent.length, from = anchor === "end" ? u - wide : u;
    return namesOfOthers.some(({ start, end, top }) => from < end && from + wide > start && Math.abs(v - top) < 15);
  }

  const tag = el("g", {},
    el("rect", { class: "tag", x: 0, y: -9, width: LEFT - 3, height: 18, rx: 3 }),
    el("text", { class: "tag-text", x: (LEFT - 3) / 2, y: 4.5, "text-anchor": "middle" }));
  plane.append(tag);

  // A finger need not hit a dot: the nearest is meant, if one is near.
  plane.addEventListener("click", (event) => {
    const box = plane.getBoundingClientRect(), unit = box.width / WIDE;
    const u = (event.clientX - box.left) / unit, v = (event.clientY - box.top) / unit;
    let nearest = 22;
    let hit = null;
    places.forEach((line, j) => line.forEach(([left, top], i) => {
      const distance = Math.hypot(left - u, top - v);
      if (distance < nearest) [nearest, hit] = [distance, [i, j]];
    }));
    if (!hit) return;
    [k, c] = hit;
    draw();
  });

  VQ.root.append(
    codesChoice.group, codebooksChoice.group, sentence,
    el("div", { class: "columns" },
      el("div", {}, bars, legend),
      el("div", {}, plane, el("p", { class: "note" },
        "Click a point to choose it; the numbers along the thick line are K. On a diagonal the " +
        "total is the same: the dashed one leads from your choice to its total, on the left axis."))),
  );

  // ---- everything follows from k and c ----
  function draw() {
    const model = lines[c][k], label = `VQ-VAE, K = ${codes[k]}, C = ${codebooks[c]}`;
    codesChoice.show(k);
    codebooksChoice.show(c);
    sentence.textContent = model.sentence;
    showChoice("VQ-VAE", model, model.saved);
    saving.textContent = `saved by code frequencies: ${number(model.saved)}`;
    paths.forEach((path, j) => set(path, { class: j === c ? "line chosen" : "line" }));
    dots.forEach((line, j) => line.forEach((dot) => set(dot, { class: j === c ? "dot chosen" : "dot" })));
    codebooksNames.forEach((name, j) => set(name, { class: j === c ? "name chosen" : "name" }));
    codesNames.forEach((name, i) => {
      const [left, top] = places[c][i];
      const spots = [[left - 9, top + 14, "end"], [left + 9, top + 14, "start"], [left - 9, top - 8, "end"]];
      const [u, v, anchor] = spots.find((spot) => !hidden(name, spot)) ?? spots[0];
      set(name, { x: u, y: v, "text-anchor": anchor });
    });
    const [cx, cy] = places[c][k];
    set(ring, { cx, cy });
    const ends = equal(totalOf(model));
    set(same, ends);
    set(tag, { transform: `translate(0 ${ends.y1.toFixed(1)})` });
    heights.forEach((text, i) => set(text, { // none half hidden by the tag
      visibility: Math.abs(y(ticks.reconstruction[i]) - ends.y1) < 16 ? "hidden" : null,
    }));
    tag.lastChild.textContent = number(totalOf(model));
    const others = references.map((other) => `${other.name} ${number(totalOf(other))}`).join(", ");
    set(bars, {
      "aria-label": `${label}: reconstruction ${number(model.reconstruction)}, prior ` +
        `${number(model.latents)}, of which code frequencies would save ${number(model.saved)}. ` +
        `Totals of others: ${others}.`,
    });
    set(plane, { "aria-label": `Reconstruction against prior for all K and C; ${label} is chosen.` });
    VQ.state(`K ${codes[k]}; C ${codebooks[c]}; total ${number(totalOf(model))}`);
    VQ.announce(model.sentence);
  }

  draw();
})();
