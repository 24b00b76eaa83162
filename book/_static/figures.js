// Opened as files, the book and a figure in its frame may not read each other. Here they exchange
// what they need: the figure's height, and the theme that the reader chose.
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

  new MutationObserver(() => frames().forEach(tell)).observe(page, {
    attributes: true, attributeFilter: ["data-theme"],
  });
})();
