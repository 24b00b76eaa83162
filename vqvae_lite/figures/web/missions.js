// Small tasks whose answer the page checks.
//
// missions(list, changed) is an element with .look(facts): where the mission that is shown was not fulfilled,
// its check(facts) is asked; the sentence that it gives says that it is now, and null that it is not.
// changed() is called when the reader goes to another.
VQ.missions = function (list, changed) {
  "use strict";
  const { el, set } = VQ;
  const solved = list.map(() => null);
  let current = 0;
  const text = el("p", { id: "mission" }), answer = el("p", { class: "answer", id: "mission-answer" });
  const choice = el("select", { id: "missions", "aria-label": "Mission", change: () => {
    current = choice.selectedIndex;
    show();
    changed();
  } }, ...list.map(({ title }, i) => el("option", { value: i }, title)));

  function show() {
    text.textContent = list[current].task;
    answer.textContent = solved[current] ?? "Not yet.";
    set(answer, { "data-solved": String(solved[current] !== null) });
    [...choice.options].forEach((option, i) => {
      option.textContent = (solved[i] ? "\u2713 " : "") + list[i].title;
    });
  }

  function look(facts) {
    if (solved[current] !== null) return;
    solved[current] = list[current].check(facts);
    if (solved[current] === null) return;
    show();
    VQ.announce(`Mission fulfilled. ${solved[current]}`);
  }

  show();
  return Object.assign(el("section", { class: "missions", "aria-label": "Missions" },
    el("div", { class: "row" }, el("b", {}, "Mission"), choice), text, answer), {
    look, solved: () => solved.filter((each) => each !== null).length,
  });
};
