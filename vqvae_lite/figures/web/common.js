// What every interactive figure shares: its data, the reader's theme, the iframe's height, and
// the few parts that mouse, touch and keyboard all work on. A figure's own script uses only VQ.
const VQ = (function () {
  "use strict";
  const page = document.documentElement;
  const SVG_TAGS = new Set(
    ("svg g path line polyline polygon rect circle ellipse text tspan title defs marker clipPath " +
      "image").split(" "));

  // el("circle", {r: 5, class: "code"}, child, "text"): an HTML or SVG element.
  // A function as attribute value becomes a listener: {click: act}.
  function el(tag, attributes = {}, ...children) {
    const node = SVG_TAGS.has(tag)
      ? document.createElementNS("http://www.w3.org/2000/svg", tag)
      : document.createElement(tag);
    set(node, attributes);
    node.append(...children);
    return node;
  }

  function set(node, attributes) {
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === "function") node.addEventListener(name, value);
      else if (value === null || value === false) node.removeAttribute(name);
      else node.setAttribute(name, value === true ? "" : value);
    }
    return node;
  }

  // A short text that changes whenever the figure does, for tests and for curious readers.
  function state(text) {
    page.dataset.state = text;
  }

  // Says a sentence to screen readers once the reader pauses, so that a drag is not a torrent.
  let waiting = null;
  function announce(sentence) {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      document.getElementById("announcer").textContent = sentence;
    }, 400);
  }

  function button(text, act) {
    return el("button", { type: "button", click: act }, text);
  }

  // A labelled range input with its value beside it. `show` turns a value into its text.
  // Returns the label; its .input is the range, its .refresh() rereads a value set by script.
  function slider({ label, id, min, max, step = 1, value, show = String, act }) {
    const input = el("input", { type: "range", id, min, max, step });
    const output = el("output", { for: id });
    const refresh = () => {
      output.textContent = show(Number(input.value));
      input.setAttribute("aria-valuetext", show(Number(input.value)));
    };
    input.value = value;
    refresh();
    input.addEventListener("input", () => {
      refresh();
      act(Number(input.value));
    });
    return Object.assign(el("label", { class: "slider" }, el("span", {}, label), input, output), {
      input, refresh,
    });
  }

  // Dragging by mouse, pen or finger. act(u, v) gets the place in `frame` as fractions of its
  // width and height; start(u, v) is called when the handle is taken, with the place where. A
  // touched handle gets no click.
  function drag(handle, frame, act, start = () => {}) {
    // Or a finger would scroll the page; the CSS for it, touch-action, does not reach into an SVG.
    handle.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    let box = null;
    const place = (event) => [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    handle.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      box = frame.getBoundingClientRect();
      handle.setPointerCapture(event.pointerId);
      start(...place(event));
    });
    handle.addEventListener("pointermove", (event) => {
      if (box) act(...place(event));
    });
    for (const end of ["pointerup", "pointercancel"]) {
      handle.addEventListener(end, () => { box = null; });
    }
  }

  // Arrow keys on a focused element: act(dx, dy, big), dy upwards, big with Shift.
  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  function arrowKeys(node, act) {
    node.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act(step[0], step[1], event.shiftKey);
    });
  }

  // scale([0, 1], [40, 600]) maps numbers linearly; .invert maps back.
  function scale([a, b], [c, d]) {
    const map = (x) => c + ((x - a) * (d - c)) / (b - a);
    map.invert = (y) => a + ((y - c) * (b - a)) / (d - c);
    return map;
  }

  // What `pack` wrote, as {shape, values}; values is a typed array (float16 becomes float32, whole
  // numbers of other bits than 8, 16 and 32 int8 or int16).
  function unpack({ dtype, shape, base64 }) {
    const text = atob(base64), bytes = new Uint8Array(text.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
    const count = shape.reduce((a, b) => a * b, 1), narrow = /^(u?)int([2-79]|1[0-5])$/.exec(dtype);
    if (narrow) return { shape, values: fromBits(bytes, Number(narrow[2]), narrow[1] === "", count) };
    const types = {
      uint8: Uint8Array, int8: Int8Array, int16: Int16Array, int32: Int32Array,
      float16: Uint16Array, float32: Float32Array,
    };
    const values = new types[dtype](bytes.buffer);
    return { shape, values: dtype === "float16" ? Float32Array.from(values, fromHalf) : values };
  }

  // Numbers of so many bits, one after another; signed ones are counted from the lowest.
  function fromBits(bytes, bits, signed, count) {
    const values = signed ? new Int8Array(count) : new Int16Array(count);
    const half = signed ? 1 << (bits - 1) : 0;
    for (let i = 0, held = 0, have = 0, at = 0; i < count; i++) {
      while (have < bits) {
        held = (held << 8) | bytes[at++];
        have += 8;
      }
      have -= bits;
      values[i] = (held >> have) - half;
      held &= (1 << have) - 1;
    }
    return values;
  }

  function fromHalf(bits) {
    const sign = bits >> 15 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }

  // Draws pixels (height x width x 3, 0 to 255, row by row) on a canvas, one by one.
  function paint(canvas, pixels, width, height) {
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = pixels[3 * i + c];
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    return canvas;
  }

  // A colour of common.css in the theme of the moment, for a canvas: color("ink").
  function color(name) {
    return getComputedStyle(page).getPropertyValue("--" + name).trim();
  }

  // The theme: the book's, JupyterLab's or Colab's where the page around may be read; what it says,
  // where not (a book opened as files says it in figures.js); else the system's.
  const framed = window.parent !== window;
  const systemDark = window.matchMedia("(prefers-color-scheme: dark)");
  const host = (() => {
    try {
      return framed ? window.parent.document : null;
    } catch (error) {
      return null; // the page around comes from another origin
    }
  })();
  const themeActs = [];
  let toldTheme = null;

  function hostTheme() {
    const root = host && host.documentElement;
    if (root && ["light", "dark"].includes(root.dataset.theme)) return root.dataset.theme;
    if (root && host.body.dataset.jpThemeLight) {
      return host.body.dataset.jpThemeLight === "true" ? "light" : "dark";
    }
    if (root && root.getAttribute("theme")) return root.getAttribute("theme");
    return toldTheme ?? (systemDark.matches ? "dark" : "light");
  }

  function followTheme() {
    const theme = hostTheme();
    if (page.dataset.theme === theme) return;
    page.dataset.theme = theme;
    themeActs.forEach((act) => act());
  }

  // act() runs whenever the theme changes; only a canvas needs it, CSS follows by itself.
  function onTheme(act) {
    themeActs.push(act);
  }

  followTheme();
  systemDark.addEventListener("change", followTheme);
  window.addEventListener("message", ({ source, data }) => {
    if (source !== window.parent || !["light", "dark"].includes(data?.vqTheme)) return;
    toldTheme = data.vqTheme;
    followTheme();
  });
  if (host) {
    const watched = { attributes: true, attributeFilter: ["data-theme", "data-jp-theme-light", "theme"] };
    const observer = new MutationObserver(followTheme);
    observer.observe(host.documentElement, watched);
    observer.observe(host.body, watched);
  }

  // The iframe is as high as its page. Alone in a window, a figure is as large as fits, and never
  // smaller than in the book.
  const WIDTH = 772; // px, of the text of the book
  const { body } = document;
  let tallest = 0; // or a longer sentence under the reader's hands would make all else smaller

  function fitFrame() {
    const height = Math.ceil(body.getBoundingClientRect().height);
    if (host && window.frameElement) window.frameElement.style.height = height + "px";
    else window.parent.postMessage({ vqHeight: height }, "*");
  }

  function fitWindow() {
    const { clientWidth, clientHeight } = page;
    const width = Math.min(WIDTH, clientWidth);
    body.style.width = width + "px";
    tallest = Math.max(tallest, body.offsetHeight + 1); // which is rounded
    const scale = Math.max(1, Math.min(clientWidth / width, clientHeight / tallest));
    body.style.transform = `translateX(${(clientWidth - scale * width) / 2}px) scale(${scale})`;
  }

  page.dataset.alone = String(!framed);
  new ResizeObserver(framed ? fitFrame : fitWindow).observe(body);
  if (!framed) {
    window.addEventListener("resize", () => {
      tallest = 0;
      fitWindow();
    });
  }

  // Whether the reader asks for no motion: what would play then goes to its end at once.
  const stillness = window.matchMedia("(prefers-reduced-motion: reduce)");
  const still = () => stillness.matches;

  return {
    data: JSON.parse(document.getElementById("data").textContent),
    root: document.getElementById("figure"),
    el, set, state, announce, button, slider, drag, arrowKeys, scale, unpack, paint, color, onTheme,
    still,
  };
})();
