// Opened as files, the book and a figure in its frame may not read each other. Here they exchange
// what they need: the figure's height, and the theme that the reader chose. Still figures learn the
// theme by their address.
(function () {
  "use strict";
  const page = document.documentElement;
  const frames = () => [...document.querySelectorAll("iframe.vq-interactive")];

  function tell(frame) {
    frame.contentWindow.postMessage({ vqTheme: page.dataset.theme }, "*");
  }

  window.addEventListener("message", ({ source, data }) => {
    const frame = frames().find(({ contentWindow }) => contentWindow === source);
    if (!frame || !(data?.vqHeight > 0)) return;
    frame.style.height = `${data.vqHeight}px`;
    tell(frame);
  });

  function color(still) {
    const dark = page.dataset.theme === "dark";
    const address = still.src.replace(/#dark$/, "") + (dark ? "#dark" : "");
    if (still.src !== address) still.src = address;
  }

  const stills = () => document.querySelectorAll('.bd-content img[src*="_images/"][src*=".svg"]');
  document.addEventListener("DOMContentLoaded", () => stills().forEach(color));

  new MutationObserver(() => {
    frames().forEach(tell);
    stills().forEach(color);
  }).observe(page, { attributes: true, attributeFilter: ["data-theme"] });
})();
