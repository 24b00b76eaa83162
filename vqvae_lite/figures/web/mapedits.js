// Changes of a map of codes that can be taken back, a stroke at a time.
//
// mapEdits(view, changed) works on what view() gives, {codes, map, history}; changed(place) is called
// for each place that gets another code, and changed() when a stroke has ended.
VQ.mapEdits = function (view, changed) {
  "use strict";
  let stroke = null; // the one not yet in the history: place -> code before

  // Puts codeAt(place) in each of the places, and notes in the stroke what was there before.
  function put(list, codeAt) {
    const { map } = view();
    stroke = stroke ?? new Map();
    for (const i of list) {
      const code = codeAt(i);
      if (map[i] === code) continue;
      if (!stroke.has(i)) stroke.set(i, map[i]);
      map[i] = code;
      changed(i);
    }
  }

  function keep() {
    if (stroke?.size) view().history.push(stroke);
    stroke = null;
    changed();
  }

  // A stroke of its own, all at once; returns how many codes it changed.
  function finish(list, codeAt) {
    keep();
    put(list, codeAt);
    const { size } = stroke;
    VQ.announce(`${size} codes changed.`);
    keep();
    return size;
  }

  function undo() {
    keep();
    const last = view().history.pop();
    if (!last) return;
    put(last.keys(), (i) => last.get(i));
    VQ.announce(`${stroke.size} codes changed back.`);
    stroke = null;
  }

  const reset = () => finish(view().map.keys(), (i) => view().codes[i]);
  return { put, keep, finish, undo, reset };
};
