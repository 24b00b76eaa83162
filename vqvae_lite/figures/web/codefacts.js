// What is known of a code from speech with labels: in which phones it stood there, in words and as
// bars. codeFacts(...) has .words and .meters, elements; .show(code, places); .phones(code), a
// sentence.
VQ.codeFacts = (function () {
  "use strict";
  const { el, set } = VQ;

  function share(part, whole) {
    const percent = (100 * part) / whole;
    return `${percent.toFixed(percent < 1 ? 2 : percent < 10 ? 1 : 0)} %`;
  }

  // known: of each code its count and its [phone, count] pairs; counted: the sum over all codes.
  return function ({ phones: names, kinds, kindOf, known, counted, color }) {
    const swatch = el("span", { class: "swatch" }), title = el("span", {});
    const text = el("p", { class: "facts number", id: "facts" });
    const words = el("div", {}, el("h2", {}, swatch, " ", title), text);
    const meters = el("div", { class: "meters number", id: "meters" });

    function phones(code) {
      const { count, phones } = known[code];
      if (!count) return "It never stood in the labelled speech where codes were counted.";
      return `Mostly in ${phones.map(([p, n]) => `${names[p]} ${share(n, count)}`).join(", ")}.`;
    }

    let shown = null; // the code that the bars are about
    function show(code, places) {
      set(swatch, { style: `background: ${color(code)}` });
      title.textContent = `Code ${code}`;
      text.textContent = places;
      if (code === shown) return;
      shown = code;
      const { count, phones: pairs } = known[code];
      meters.replaceChildren(
        el("p", { class: "label" }, count
          ? `${share(count, counted)} of the codes in labelled speech, and there in`
          : phones(code)),
        ...pairs.map(([p, n]) => {
          const style = `width: ${(100 * n) / count}%; background: rgb(${kinds[kindOf[p]].color.join(" ")})`;
          return el("div", { class: "meter" }, el("b", {}, names[p]),
            el("span", { class: "bar" }, el("span", { style })), el("span", {}, share(n, count)));
        }));
    }
    return { words, meters, show, phones };
  };
})();
