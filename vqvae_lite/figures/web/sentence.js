// A sentence on two tracks: all of it, and a magnified part. Each has .draw(...) for what stands
// still and .mark(...) for what moves over it, in codes or in samples from the sentence's start.
(function () {
  "use strict";
  const { el, set } = VQ;
  const outlined = (name) => ["halo", "line"].map((line) => el("path", { class: `${name} ${line}` }));
  const along = (lines, d) => lines.forEach((line) => set(line, { d }));

  // A wave above, a strip of codes below. color(code) is a CSS colour, hop the samples of a code.
  VQ.overview = function ({ codes, color, hop, attributes }) {
    const WAVE = 30, TOP = WAVE + 2, STRIP = 12, MARK = 7, HEIGHT = TOP + STRIP + MARK + 2;
    const track = VQ.track({ height: HEIGHT, attributes });
    const frame = el("rect", { class: "frame", y: 1, height: TOP + STRIP });
    const marks = el("path", { class: "mark" }), line = el("path", { class: "play" });
    track.overlay.append(frame, marks, line);
    const x = (code) => (code * track.width()) / codes.length;

    function draw({ samples, loudest }) {
      track.paint((context, width) => {
        const box = { x: 0, y: 1, width, height: WAVE };
        if (samples) VQ.track.wave(context, samples, 0, samples.length, box, loudest, VQ.color("ink"));
        VQ.track.cells(context, codes, 0, codes.length, { ...box, y: TOP, height: STRIP }, color);
      });
    }

    // places: with a wedge below each; part: [first, last] framed, or null; heard: a sample, or null.
    function mark({ places, part, heard }) {
      set(marks, { d: places.map((i) => `M${x(i + 0.5)} ${TOP + STRIP - 3}l3.5 ${MARK + 3}h-7z`).join("") });
      set(frame, part
        ? { x: x(part[0]) + 1, width: Math.max(2, x(part[1]) - x(part[0]) - 2), visibility: null }
        : { visibility: "hidden" });
      set(line, { d: heard === null ? "" : `M${x(heard / hop)} 0v${TOP + STRIP}` });
    }

    // The code at a place of the page; beyond an end that end's.
    function codeAt(clientX) {
      const box = track.getBoundingClientRect();
      const i = Math.floor(((clientX - box.left) / box.width) * codes.length);
      return Math.min(codes.length - 1, Math.max(0, i));
    }
    return Object.assign(track, { draw, mark, codeAt });
  };

  // From top to bottom: spectrogram, wave, codes, phones, time.
  VQ.magnifier = function ({ color, phoneColor, hop, rate, attributes }) {
    const CELL = 7; // pixels of a code, so that mouse and finger hit it
    const rows = {
      spectrum: { y: 0, height: 96 }, wave: { y: 98, height: 44 }, codes: { y: 146, height: 34 },
      phones: { y: 186, height: 21 }, time: { y: 208, height: 18 },
    };
    const track = VQ.track({ height: 228, attributes });
    const guide = el("path", { class: "guide" }), same = outlined("same"), cursors = outlined("cursor");
    const line = el("path", { class: "play" });
    track.overlay.append(guide, ...same, ...cursors, line);
    let first = 0, count = 1; // of the codes that are shown

    const x = (code) => ((code - first) * track.width()) / count;
    const room = () => Math.max(8, Math.floor(track.width() / CELL));

    let spectrum = null; // of the samples that it holds, in the ink that it holds
    function pictureOf(samples) {
      const ink = VQ.color("ink");
      if (spectrum?.samples !== samples || spectrum.ink !== ink) {
        const picture = VQ.track.picture(VQ.spectrogram(samples, rate), ink);
        spectrum = { samples, ink, picture };
      }
      return spectrum.picture;
    }

    // codes, phones, samples (or undefined): of the sentence; from, to: the codes to be shown.
    function draw({ codes, phones, from, to, samples, loudest }) {
      [first, count] = [from, to - from];
      track.paint((context, width) => {
        const box = (name) => ({ x: 0, width, ...rows[name] });
        context.font = "12px system-ui, sans-serif";
        context.textBaseline = "middle";
        context.fillStyle = VQ.color("panel");
        for (const name of ["spectrum", "wave"]) context.fillRect(0, rows[name].y, width, rows[name].height);
        if (samples) {
          const picture = pictureOf(samples), column = hop / VQ.spectrogram.STEP; // of a code
          const { y, height } = rows.spectrum;
          context.drawImage(picture, from * column, 0, count * column, picture.height, 0, y, width, height);
          VQ.track.wave(context, samples, from * hop, to * hop, box("wave"), loudest, VQ.color("ink"));
        }
        VQ.track.cells(context, codes, from, to, box("codes"), color);
        phones.forEach((phone) => drawPhone(context, phone, width));
        drawTime(context, width);
        if (samples) label(context, `${rate / 2000} kHz`, 3, 9, width);
      });
    }

    function label(context, text, left, middle) {
      context.lineJoin = "round";
      context.lineWidth = 3;
      context.strokeStyle = VQ.color("panel");
      context.fillStyle = VQ.color("ink");
      context.textAlign = "left";
      context.strokeText(text, left, middle);
      context.fillText(text, left, middle);
    }

    function drawPhone(context, [start, end, name], width) {
      const left = Math.max(0, x((start * rate) / hop)), right = Math.min(width, x((end * rate) / hop));
      if (left >= right) return;
      const { y, height } = rows.phones;
      context.fillStyle = VQ.color("panel");
      context.fillRect(left, y, right - left - 1, height);
      context.fillStyle = phoneColor(name);
      context.fillRect(left, y, right - left - 1, 4);
      context.fillStyle = VQ.color("ink");
      context.textAlign = "center";
      if (right - left > context.measureText(name).width) {
        context.fillText(name, (left + right) / 2, y + 2 + height / 2);
      }
    }

    // A tick each tenth of a second, or further apart where these would be too near.
    function drawTime(context, width) {
      const { y } = rows.time, wide = (width * rate) / (count * hop); // pixels of a second
      const step = [0.1, 0.2, 0.5, 1, 2, 5, 10].find((s) => s * wide >= 50) ?? 30;
      context.fillStyle = VQ.color("muted");
      for (let n = Math.ceil((first * hop) / rate / step); ; n++) {
        const left = x((n * step * rate) / hop);
        if (left > width) return;
        context.fillRect(left, y, 1, 4);
        context.textAlign = left < 20 ? "left" : left > width - 30 ? "right" : "center";
        context.fillText(`${(n * step).toFixed(1)} s`, left, y + 12);
      }
    }

    // places: with a line around each; cursor: a code; heard: a sample, or null.
    function mark({ places, cursor, heard }) {
      const { y, height } = rows.codes, cell = x(first + 1), end = first + count;
      const inside = (i) => i >= first && i < end;
      const square = (i) => `M${x(i)} ${y}h${cell - 1}v${height}h${1 - cell}z`;
      along(same, places.filter(inside).map(square).join(""));
      along(cursors, inside(cursor) ? square(cursor) : "");
      set(guide, { d: inside(cursor) ? `M${x(cursor + 0.5)} 0V${y}M${x(cursor + 0.5)} ${y + height}V${rows.time.y}` : "" });
      const code = heard === null ? -1 : heard / hop;
      set(line, { d: code >= first && code < end ? `M${x(code)} 0V${rows.time.y}` : "" });
    }

    function codeAt(clientX) {
      const box = track.getBoundingClientRect();
      const i = Math.floor(((clientX - box.left) / box.width) * count);
      return first + Math.min(count - 1, Math.max(0, i));
    }
    return Object.assign(track, { draw, mark, codeAt, room });
  };
})();
