// Pictures of the reader's own: from a file, dropped or pasted, from the camera, or drawn. They are
// cut to the middle, made as large as the model's pictures, and stay in the page.
//
// sources({height, width, got, area}) is an element. got(pixels, name, again) is called with
// height x width x 3 bytes; `again` where the same picture has changed, as the camera's does all the
// time. `area` is what a picture may be dropped on; what is in the list `beside` stands in the row.
VQ.sources = (function () {
  "use strict";
  const { el, set } = VQ;
  const INKS = ["#1b1f24", "#ffffff", "#d55e00", "#f0e442", "#009e73", "#0072b2", "#cc79a7", "#8b5a2b"];
  const INK_NAMES = ["black", "white", "red", "yellow", "green", "blue", "pink", "brown"];

  return function ({ height, width, got, area, beside }) {
    const notice = el("span", { class: "label", role: "status", id: "source-notice" });
    const context = el("canvas", { width, height }).getContext("2d", { willReadFrequently: true });

    function pixelsOf(source, sourceWidth, sourceHeight) {
      const scale = Math.min(sourceWidth / width, sourceHeight / height);
      const [w, h] = [width * scale, height * scale];
      context.fillStyle = "white"; // what is clear in a picture is white here
      context.fillRect(0, 0, width, height);
      context.imageSmoothingQuality = "high";
      context.drawImage(source, (sourceWidth - w) / 2, (sourceHeight - h) / 2, w, h, 0, 0, width, height);
      const { data } = context.getImageData(0, 0, width, height);
      return Uint8ClampedArray.from({ length: 3 * width * height }, (_, i) => data[4 * Math.floor(i / 3) + (i % 3)]);
    }

    async function open(file) {
      if (!file) return;
      try {
        const picture = await createImageBitmap(file);
        // Halved as long as it is much too large: one step from a large photograph would skip pixels.
        let source = picture, [w, h] = [picture.width, picture.height];
        while (Math.min(w / width, h / height) > 2) {
          [w, h] = [Math.round(w / 2), Math.round(h / 2)];
          const half = el("canvas", { width: w, height: h });
          half.getContext("2d").drawImage(source, 0, 0, w, h);
          source = half;
        }
        notice.textContent = "";
        stopAll();
        got(pixelsOf(source, w, h), file.name || "pasted picture", false);
      } catch {
        notice.textContent = `${file.name || "That"} is no picture that this browser reads.`;
      }
    }

    const input = el("input", {
      type: "file", accept: "image/*", id: "own-file", class: "visually-hidden", tabindex: -1,
      "aria-label": "A picture of your own",
      change: () => { open(input.files[0]); input.value = ""; },
    });
    const choose = set(VQ.button("Your picture\u2026", () => input.click()), { id: "own" });
    set(area, {
      dragover: (event) => event.preventDefault(),
      drop: (event) => { event.preventDefault(); open(event.dataTransfer.files[0]); },
    });
    document.addEventListener("paste", (event) => {
      const file = [...event.clipboardData.files].find(({ type }) => type.startsWith("image/"));
      if (file) open(file);
    });

    // ---- camera: every picture of it goes through the model ----
    const video = el("video", { muted: true, playsinline: true });
    let stream = null;
    const camera = set(VQ.button("Camera", () => (stream ? stopCamera() : startCamera())), { id: "camera" });

    async function startCamera() {
      if (!navigator.mediaDevices?.getUserMedia) {
        notice.textContent = "There is no camera here that this page may use.";
        return;
      }
      try {
        stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      } catch {
        notice.textContent = "The camera was refused, or there is none.";
        return;
      }
      stopDrawing();
      notice.textContent = "Live: every picture of the camera goes through the model. It stays in this page.";
      set(camera, { "aria-pressed": "true" });
      camera.textContent = "Stop camera";
      video.srcObject = stream;
      await video.play();
      look(false);
    }

    function look(again) {
      if (!stream) return;
      if (video.videoWidth) {
        got(pixelsOf(video, video.videoWidth, video.videoHeight), "camera", again);
        again = true;
      }
      requestAnimationFrame(() => look(again));
    }

    function stopCamera() {
      stream?.getTracks().forEach((track) => track.stop());
      stream = null;
      video.srcObject = null;
      notice.textContent = "";
      set(camera, { "aria-pressed": "false" });
      camera.textContent = "Camera";
    }

    // ---- drawing, on squares of a few pixels each ----
    const SIDE = 28;
    const columns = SIDE, rows = Math.max(1, Math.round((SIDE * height) / width));
    const squares = new Uint8ClampedArray(3 * rows * columns).fill(225);
    const hex = (color) => [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
    let ink = 2, cursor = Math.floor(rows / 2) * columns + Math.floor(columns / 2), drawn = false;
    const sheet = VQ.board({
      rows, columns,
      attributes: {
        id: "sheet", tabindex: 0, role: "application", "aria-roledescription": "drawing",
        "aria-label": `A drawing of ${columns} by ${rows} squares. Arrow keys move, Enter colours a square.`,
      },
    });
    sheet.style.touchAction = "none";

    function stamp(i) {
      cursor = i;
      const [x, y] = [i % columns, Math.floor(i / columns)];
      // A stroke is two squares wide.
      for (const [dx, dy] of [[0, 0], [1, 0], [0, 1], [1, 1]]) {
        if (x + dx < columns && y + dy < rows) squares.set(hex(INKS[ink]), 3 * (i + dx + dy * columns));
      }
      redraw();
    }

    function redraw() {
      sheet.color(squares);
      sheet.mark({ cursor: sheet.matches(":focus-visible") ? cursor : null });
      got(Uint8ClampedArray.from({ length: 3 * width * height }, (_, i) => {
        const place = Math.floor(i / 3), x = place % width, y = Math.floor(place / width);
        const square = Math.floor((y * rows) / height) * columns + Math.floor((x * columns) / width);
        return squares[3 * square + (i % 3)];
      }), "drawing", drawn);
      drawn = true;
    }

    sheet.listen({
      point: () => {}, click: stamp, from: () => cursor,
      move: (i) => { cursor = i; sheet.mark({ cursor }); },
      key: (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        stamp(cursor);
      },
      paints: () => true, paint: stamp, painted: () => {},
    });
    const inks = INKS.map((color, i) => el("button", {
      type: "button", class: "ink", style: `background: ${color}`, "aria-label": INK_NAMES[i],
      click: () => { ink = i; inks.forEach((button, j) => set(button, { "aria-pressed": String(j === i) })); },
    }));
    set(inks[ink], { "aria-pressed": "true" });
    const clear = set(VQ.button("Clear", () => { squares.fill(225); redraw(); }), { id: "clear" });
    const easel = el("div", { class: "easel", hidden: true }, sheet,
      el("div", { class: "inks", role: "group", "aria-label": "Colours" }, ...inks, clear));
    const draw = set(VQ.button("Draw", () => (easel.hidden ? startDrawing() : stopDrawing())), { id: "draw" });

    function startDrawing() {
      stopCamera();
      easel.hidden = false;
      set(draw, { "aria-pressed": "true" });
      redraw();
    }

    function stopDrawing() {
      easel.hidden = true;
      drawn = false;
      set(draw, { "aria-pressed": "false" });
    }

    function stopAll() {
      stopCamera();
      stopDrawing();
    }

    return Object.assign(el("div", { class: "sources" },
      el("div", { class: "row tools" }, input, choose, camera, draw, ...beside, notice), easel), { stop: stopAll });
  };
})();
