// A press on a figure, or Enter on it, shows it as large as the window, and larger on a phone, where
// it can be moved. Escape, a press beside it or on "Close" brings the page back.
document.addEventListener("DOMContentLoaded", () => {
  "use strict";
  const dialog = document.createElement("dialog");
  dialog.className = "vq-enlarged";
  dialog.setAttribute("aria-label", "Figure, enlarged");
  dialog.innerHTML = '<button type="button" class="close">Close</button><div tabindex="0"></div>';
  const frame = dialog.querySelector("div");
  dialog.addEventListener("click", ({ target }) => {
    if (target !== frame && target.parentNode !== frame) dialog.close();
  });
  dialog.addEventListener("keydown", ({ key }) => { // the theme keeps Escape from the browser
    if (key === "Escape") dialog.close();
  });
  document.body.append(dialog);

  for (const still of document.querySelectorAll(".bd-article :is(div.cell_output, figure) img")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "vq-still";
    button.title = "Enlarge";
    still.replaceWith(button);
    button.append(still);
    button.addEventListener("click", () => {
      const large = still.cloneNode();
      large.removeAttribute("style");
      frame.replaceChildren(large);
      dialog.showModal();
      frame.scrollTo(0, 0);
      frame.focus();
    });
  }
});
