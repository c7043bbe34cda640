"use strict";
// Draws the runs that stand in #data, and copies commands. All text is set as text, never as markup.
(() => {
  const element = (id) => document.getElementById(id);
  const copied = element("copied");
  let draw = () => {};

  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = element(button.dataset.copy);
      let done = true;
      try {
        await navigator.clipboard.writeText(source.textContent);
      } catch {
        const range = document.createRange();
        range.selectNodeContents(source);
        const selection = getSelection();
        selection.removeAllRanges();
        selection.addRange(range);
        done = document.execCommand("copy");
      }
      copied.textContent = done ? "Copied" : "Selected: copy it with the keyboard";
      setTimeout(() => { copied.textContent = ""; }, 2500);
    });
  }

  // A printed page has all text.
  const folded = new Set();
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details:not([open])")) {
      details.open = true;
      folded.add(details);
    }
    draw(true);
  });
  addEventListener("afterprint", () => {
    for (const details of folded) details.open = false;
    folded.clear();
    draw();
  });

  const block = element("data");
  if (!block) return;
  const data = JSON.parse(block.textContent);
  const names = [];
  for (const [shared, rest] of data.names) {
    names.push((names.length ? names[names.length - 1].slice(0, shared) : "") + rest);
  }
  const nameOf = (test) => names[test] ?? `test ${test + 1} in the order of names`;

  const bytes = (text) => {
    const decoded = atob(text);
    const all = new Uint8Array(decoded.length);
    for (let at = 0; at < decoded.length; at++) all[at] = decoded.charCodeAt(at);
    return all;
  };
  const reader = (all) => {
    let at = 0;
    const number = () => {
      let value = 0, scale = 1, byte;
      do {
        byte = all[at++];
        value += (byte & 127) * scale;
        scale *= 128;
      } while (byte & 128);
      return value;
    };
    return { number, short: () => all[at++] | (all[at++] << 8), more: () => at < all.length };
  };
  const rowOf = (trial) => {
    const row = new Uint8Array(data.tests);
    const packed = reader(bytes(trial.row));
    for (let test = 0; packed.more();) {
      const value = packed.number();
      const end = test + Math.floor(value / 8);
      row.fill(value % 8, test, end);
      test = end;
    }
    return row;
  };
  const lanesOf = (trial) => {
    const packed = reader(bytes(trial.runs));
    const lanes = [];
    for (let workers = packed.number(); workers > 0; workers--) {
      const lane = [];
      let start = 0;
      for (let runs = packed.number(); runs > 0; runs--) {
        const test = packed.number(), both = packed.short();
        const seconds = 2 ** ((both & 8191) / 256) / 1e6;
        lane.push({ test, shown: both >> 13, start, seconds });
        start += seconds;
      }
      lanes.push(lane);
    }
    return lanes;
  };

  element("drawn").hidden = false;
  const isDark = matchMedia("(prefers-color-scheme: dark)");
  const FAILURES = ["#d92d20", "#b5179e", "#7b2ff7"];
  const LIGHT = { ground: "#ffffff", text: "#1b1f24", line: "#c9cdd3", edge: "#ffffff", colours: ["#ffffff", "#aac8ec", "#e4e7eb", "#7a4d00", ...FAILURES] };
  const DARK = { ground: "#14171b", text: "#e6e9ed", line: "#3c444e", edge: "#14171b", colours: ["#14171b", "#214a7a", "#2b3138", "#f2c063", ...FAILURES] };
  let palette = LIGHT;

  // A canvas as wide as it is shown, in the screen's own pixels.
  const sized = (canvas, height) => {
    const width = Math.max(200, canvas.clientWidth), scale = devicePixelRatio || 1;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.height = height + "px";
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    context.fillStyle = palette.ground;
    context.fillRect(0, 0, width, height);
    return [context, width];
  };

  // Tests on workers.
  const gantt = element("gantt"), status = element("gantt-status"), choice = element("trial");
  const LABEL = 44, LANE = 30, AXIS = 20;
  let lanes = [], from = 0, to = 1, whole = 1, chosen = null;
  data.trials.forEach((trial, number) => {
    if (trial.runs) choice.add(new Option(`${trial.name}: ${trial.how}`, number));
  });
  const load = () => {
    const trial = data.trials[choice.value];
    lanes = trial ? lanesOf(trial) : [];
    whole = Math.max(1e-6, ...lanes.map((lane) => lane.length ? lane[lane.length - 1].start + lane[lane.length - 1].seconds : 0));
    [from, to, chosen] = [0, whole, null];
    const failed = lanes.flat().filter((run) => run.shown >= 4).length;
    status.textContent = `${lanes.flat().length} runs of tests on ${lanes.length} workers, ${failed} failed`;
  };
  const seconds = (time) => time < 0.01 ? `${(time * 1000).toFixed(2)} ms` : time < 1 ? `${(time * 1000).toFixed(0)} ms` : `${time.toFixed(2)} s`;
  const drawGantt = () => {
    const [context, width] = sized(gantt, AXIS + Math.max(1, lanes.length) * LANE);
    const x = (time) => LABEL + (time - from) / (to - from) * (width - LABEL - 4);
    context.font = "12px system-ui, sans-serif";
    lanes.forEach((lane, worker) => {
      const y = AXIS + worker * LANE;
      context.fillStyle = palette.text;
      context.fillText("gw" + worker, 6, y + 18);
      // Failures last, and never thinner than can be seen.
      for (const failures of [false, true]) {
        for (const run of lane) {
          if ((run.shown >= 4) !== failures || run.start > to || run.start + run.seconds < from) continue;
          const left = Math.max(LABEL, x(run.start)), wide = Math.min(width, x(run.start + run.seconds)) - left;
          context.fillStyle = palette.colours[run.shown];
          context.fillRect(left, y + (failures ? 1 : 5), Math.max(failures ? 3 : 0.5, wide - (wide > 4 ? 1 : 0)), LANE - (failures ? 4 : 12));
          if (run === chosen) {
            context.strokeStyle = palette.text;
            context.lineWidth = 2;
            context.strokeRect(left - 1, y + 2, Math.max(3, wide) + 2, LANE - 5);
          }
        }
      }
    });
    context.fillStyle = palette.text;
    for (let part = 0; part <= 4; part++) {
      const time = from + (to - from) * part / 4;
      context.textAlign = part === 0 ? "left" : part === 4 ? "right" : "center";
      context.fillText(seconds(time), part === 4 ? width - 4 : x(time), 13);
    }
    context.textAlign = "left";
  };
  const tell = (run, worker) => {
    chosen = run;
    status.textContent = `gw${worker}: ${nameOf(run.test)} ${data.outcomes[run.shown]}, ${seconds(run.seconds)}`;
  };
  gantt.addEventListener("pointermove", (event) => {
    const box = gantt.getBoundingClientRect();
    const worker = Math.floor((event.clientY - box.top - AXIS) / LANE);
    const time = from + (event.clientX - box.left - LABEL) / (box.width - LABEL - 4) * (to - from);
    const near = (to - from) / box.width * 3;
    const lane = lanes[worker] ?? [];
    const at = (run, by) => run.start - by <= time && time <= run.start + run.seconds + by;
    const run = lane.find((run) => run.shown >= 4 && at(run, near)) ?? lane.find((run) => at(run, 0));
    if (run && run !== chosen) {
      tell(run, worker);
      drawGantt();
    }
  });
  const show = (start, end) => {
    const size = Math.min(whole, Math.max(whole / 5000, end - start));
    from = Math.min(Math.max(0, start), whole - size);
    to = from + size;
  };
  const next = () => {
    const all = [];
    lanes.forEach((lane, worker) => lane.forEach((run) => { if (run.shown >= 4) all.push([run, worker]); }));
    if (!all.length) {
      status.textContent = "No test failed in this run";
      return;
    }
    const [run, worker] = all[(all.findIndex(([run]) => run === chosen) + 1) % all.length];
    tell(run, worker);
    if (run.start < from || run.start + run.seconds > to) show(run.start - (to - from) / 2, run.start + (to - from) / 2);
  };
  for (const button of document.querySelectorAll("button[data-move]")) {
    button.addEventListener("click", () => {
      const size = to - from, middle = chosen && chosen.start >= from && chosen.start <= to ? chosen.start : (from + to) / 2;
      switch (button.dataset.move) {
        case "in": show(middle - size / 4, middle + size / 4); break;
        case "out": show(middle - size, middle + size); break;
        case "left": show(from - size / 2, to - size / 2); break;
        case "right": show(from + size / 2, to + size / 2); break;
        default: next();
      }
      drawGantt();
    });
  }
  choice.addEventListener("change", () => { load(); drawGantt(); });

  // Tests by runs.
  const matrix = element("matrix"), matrixStatus = element("matrix-status");
  const rows = data.trials.map(rowOf);
  let lines = 1, high = 1, across = 1;
  const drawMatrix = () => {
    lines = Math.min(data.tests, 560);
    high = Math.max(1, Math.min(12, Math.floor(560 / Math.max(1, lines))));
    const [context, width] = sized(matrix, Math.max(1, lines * high));
    across = Math.min(28, width / Math.max(1, rows.length));
    rows.forEach((row, column) => {
      for (let line = 0; line < lines; line++) {
        const first = Math.floor(line * data.tests / lines), end = Math.max(first + 1, Math.floor((line + 1) * data.tests / lines));
        let worst = 0;
        for (let test = first; test < end; test++) if (row[test] > worst) worst = row[test];
        if (worst === 0) continue;
        context.fillStyle = palette.colours[worst];
        context.fillRect(column * across, line * high, Math.max(1, across - (across > 4 ? 1 : 0)), high > 3 ? high - 1 : high);
      }
    });
  };
  matrix.addEventListener("pointermove", (event) => {
    const box = matrix.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left) / across), line = Math.floor((event.clientY - box.top) / high);
    if (!rows[column] || line < 0 || line >= lines) return;
    const first = Math.floor(line * data.tests / lines), end = Math.max(first + 1, Math.floor((line + 1) * data.tests / lines));
    let worst = first;
    for (let test = first; test < end; test++) if (rows[column][test] > rows[column][worst]) worst = test;
    const more = end - first > 1 ? `, of ${end - first} tests here` : "";
    matrixStatus.textContent = `${data.trials[column].name}: ${nameOf(worst)} ${data.outcomes[rows[column][worst]]}${more}`;
  });

  draw = (printed) => {
    palette = isDark.matches && printed !== true ? DARK : LIGHT;
    drawGantt();
    drawMatrix();
  };
  load();
  draw();
  isDark.addEventListener("change", () => draw());
  let waiting = 0;
  addEventListener("resize", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => draw());
  });
})();
