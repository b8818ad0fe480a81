"use strict";

(async () => {
  const LOOPS_PER_SECOND = 16;
  const element = (id) => document.getElementById(id);
  const replay = JSON.parse(element("replay").textContent);

  /** Rows of numbers from text, column by column: see `pack` in html.py. */
  async function unpack(data, scale, nColumns) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const differences = new Int16Array(await new Response(stream).arrayBuffer());
    const nRows = differences.length / nColumns;
    return Array.from({ length: nColumns }, (_, column) => {
      let sum = 0;
      return Float32Array.from({ length: nRows }, (_, row) => {
        sum = ((sum + differences[column * nRows + row]) << 16) >> 16;
        return sum / scale;
      });
    });
  }

  const types = replay.types;
  const units = replay.units.map((type, index) => {
    const isAlly = index < replay.n_agents;
    return { ...types[type], index, isAlly, id: isAlly ? index : index - replay.n_agents };
  });
  const allies = units.filter((unit) => unit.isAlly);
  const enemies = units.filter((unit) => !unit.isAlly);
  const fromGroundToAir = units.toSorted((one, other) => one.layer - other.layer);
  const track = {};
  for (const [name, { scale, data }] of Object.entries(replay.tracks)) {
    track[name] = await unpack(data, scale, units.length);
  }
  const actions = await unpack(replay.actions, 1, replay.n_agents);
  const [shotLoops, shooters, targets] = await unpack(replay.shots, 1, 3);
  const nLoops = replay.n_steps * replay.loops_per_step;

  for (const unit of units) {
    const death = track.health[unit.index].findIndex((health) => health <= 0);
    unit.death = death < 0 ? Infinity : death;
    unit.shots = [];
  }
  const shots = Array.from(shotLoops, (loop, shot) => {
    const one = { loop, from: units[shooters[shot]], to: units[targets[shot]] };
    one.from.shots.push(one);
    return one;
  });
  const returns = [0];
  for (const reward of replay.rewards) returns.push(returns.at(-1) + reward);
  const total = (side, loop) =>
    side.reduce((sum, { index }) => sum + track.health[index][loop] + track.shield[index][loop], 0);
  const strength = [allies, enemies].map((side) => {
    const full = side.reduce((sum, unit) => sum + unit.health + unit.shield, 0);
    return Float32Array.from({ length: nLoops + 1 }, (_, loop) => total(side, loop) / full);
  });

  // What is shown: a moment in loops, the unit pointed at and the unit chosen, the part of the map.
  let now = 0;
  let isPlaying = false;
  let hovered = null;
  let chosen = null;
  const colour = {};

  function readColours() {
    const style = getComputedStyle(document.documentElement);
    const places = ["ground", "grid", "cliff", "wall"];
    const sides = ["ally", "ally-pale", "enemy", "enemy-pale"];
    for (const name of [...places, ...sides, "ink", "spent", "shield", "energy", "heal"]) {
      colour[name] = style.getPropertyValue(`--${name}`).trim();
    }
  }

  const side = (unit) => (unit.isAlly ? "ally" : "enemy");
  const isAlive = (unit, moment = now) => moment < unit.death;
  const isMixed = types.length > 1;
  const labelOf = (unit) => (isMixed ? `${unit.letter}${unit.id}` : `${unit.id}`);
  const longestLabel = Math.max(2, ...units.map((unit) => labelOf(unit).length));
  const nameOf = (unit) => `${unit.isAlly ? "agent" : "enemy"} ${unit.id}`;

  /** A track's value at a moment, between two loops in proportion. */
  function between(values, moment) {
    const loop = Math.min(Math.floor(moment), nLoops);
    const next = Math.min(loop + 1, nLoops);
    return values[loop] + (values[next] - values[loop]) * (moment - loop);
  }

  const position = (unit, moment = now) => {
    const moved = Math.min(moment, unit.death);
    return [between(track.x[unit.index], moved), between(track.y[unit.index], moved)];
  };
  const valueOf = (name, unit) => track[name][unit.index][Math.floor(now)];

  // ---- The part of the map that is shown: where units ever were, with a margin.

  const mapSize = replay.terrain.length;
  const margin = 1.5;
  const visited = { left: mapSize, right: 0, bottom: mapSize, top: 0 };
  for (const unit of units) {
    const until = Math.min(unit.death, nLoops);
    for (let loop = 0; loop <= until; loop += 1) {
      const [x, y] = [track.x[unit.index][loop], track.y[unit.index][loop]];
      visited.left = Math.min(visited.left, x - margin);
      visited.right = Math.max(visited.right, x + margin);
      visited.bottom = Math.min(visited.bottom, y - margin);
      visited.top = Math.max(visited.top, y + margin);
    }
  }
  const everything = { left: 0, right: mapSize, bottom: 0, top: mapSize };

  const canvas = element("battle");
  const pen = canvas.getContext("2d");
  const view = { scale: 1, left: 0, top: 0 };
  const toX = (x) => (x - view.left) * view.scale;
  const toY = (y) => (view.top - y) * view.scale;
  const onCanvas = ([x, y]) => [toX(x), toY(y)];

  function fit(target) {
    const ratio = window.devicePixelRatio || 1;
    target.width = Math.round(target.clientWidth * ratio);
    target.height = Math.round(target.clientHeight * ratio);
    target.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    return [target.clientWidth, target.clientHeight];
  }

  function layOut() {
    const shown = element("whole").checked ? everything : visited;
    const [wide, high] = [shown.right - shown.left, shown.top - shown.bottom];
    document.documentElement.style.setProperty("--shape", Math.min(Math.max(wide / high, 1), 2.4));
    const [width, height] = fit(canvas);
    view.scale = Math.min(width / wide, height / high);
    view.left = (shown.left + shown.right - width / view.scale) / 2;
    view.top = (shown.bottom + shown.top + height / view.scale) / 2;
    drawStrength();
    draw();
  }

  // ---- Drawing

  function circle(x, y, radius) {
    pen.beginPath();
    pen.arc(x, y, Math.max(radius, 0.5), 0, 2 * Math.PI);
  }

  /** An arc clockwise from the top over a fraction of the circle. */
  function arc(x, y, radius, fraction, width, stroke) {
    if (fraction <= 0) return;
    pen.beginPath();
    pen.arc(x, y, radius, -Math.PI / 2, (2 * fraction - 0.5) * Math.PI);
    pen.lineWidth = width;
    pen.strokeStyle = stroke;
    pen.stroke();
  }

  function drawTerrain(width, height) {
    pen.fillStyle = colour.wall;
    pen.fillRect(0, 0, width, height);
    const edge = (value) => Math.round(value);
    replay.terrain.forEach((row, fromTop) => {
      const y = mapSize - fromTop;
      for (const run of row.matchAll(/\.+|-+/g)) {
        const [left, right] = [edge(toX(run.index)), edge(toX(run.index + run[0].length))];
        pen.fillStyle = run[0].startsWith(".") ? colour.ground : colour.cliff;
        pen.fillRect(left, edge(toY(y)), right - left, edge(toY(y - 1)) - edge(toY(y)));
      }
    });
    pen.strokeStyle = colour.grid;
    pen.lineWidth = 1;
    pen.beginPath();
    for (let cell = 0; cell <= mapSize; cell += 1) {
      pen.moveTo(edge(toX(cell)) + 0.5, toY(0));
      pen.lineTo(edge(toX(cell)) + 0.5, toY(mapSize));
      pen.moveTo(toX(0), edge(toY(cell)) + 0.5);
      pen.lineTo(toX(mapSize), edge(toY(cell)) + 0.5);
    }
    pen.stroke();
  }

  function drawDeath(unit) {
    const [x, y] = onCanvas(position(unit));
    const arm = Math.max(3, 0.22 * view.scale);
    pen.globalAlpha = 0.55;
    pen.strokeStyle = colour[side(unit)];
    pen.lineWidth = Math.max(1.5, 0.06 * view.scale);
    pen.beginPath();
    pen.moveTo(x - arm, y - arm);
    pen.lineTo(x + arm, y + arm);
    pen.moveTo(x - arm, y + arm);
    pen.lineTo(x + arm, y - arm);
    pen.stroke();
    const age = (now - unit.death) / 4;
    if (unit.weapon === "burst" && age < 1) {
      pen.globalAlpha = 1 - age;
      circle(x, y, unit.splash_radius * view.scale);
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  function drawUnit(unit) {
    const [x, y] = onCanvas(position(unit));
    const radius = unit.radius * view.scale;
    const ring = Math.min(Math.max(2, 0.2 * radius), 5);
    circle(x, y, radius);
    pen.fillStyle = colour[`${side(unit)}-pale`];
    pen.globalAlpha = unit.layer ? 0.6 : 1; // what is above others does not hide them
    pen.fill();
    pen.globalAlpha = 1;
    arc(x, y, radius - ring / 2, 1, ring, colour.spent);
    arc(x, y, radius - ring / 2, valueOf("health", unit) / unit.health, ring, colour[side(unit)]);
    const outer = Math.max(1.5, 0.6 * ring);
    const reserve = unit.shield ? "shield" : "energy";
    if (unit[reserve]) {
      const left = valueOf(reserve, unit) / unit[reserve];
      arc(x, y, radius + outer / 2 + 0.5, left, outer, colour[reserve]);
    }
    const size = Math.min(15, (radius * 2.1) / longestLabel);
    if (size >= 6) {
      pen.font = `600 ${size}px system-ui, sans-serif`;
      pen.fillStyle = colour.ink;
      pen.fillText(labelOf(unit), x, y + 0.05 * size);
    }
  }

  /** Whether a unit's missile is in the air at the end of a loop: only then it moves. */
  function isFlying(unit, loop) {
    const [x, y] = [track.missile_x[unit.index], track.missile_y[unit.index]];
    return loop > 0 && loop <= nLoops && (x[loop] !== x[loop - 1] || y[loop] !== y[loop - 1]);
  }

  /** From the shooter's edge to just inside the target's, on the canvas. */
  function edgeToEdge(from, to) {
    const [start, end] = [position(from), position(to)];
    const gap = [end[0] - start[0], end[1] - start[1]];
    const length = Math.max(Math.hypot(...gap), from.radius + to.radius);
    const along = (place, cells) =>
      place.map((value, axis) => value + (gap[axis] / length) * cells);
    return [onCanvas(along(start, from.radius)), onCanvas(along(end, -0.85 * to.radius))];
  }

  /** Shots released in the last loops, fading; a healer's beam as long as it heals. */
  function drawShots() {
    for (const { loop, from, to } of shots) {
      if (loop > now) break;
      const age = (now - loop) / (from.is_healer ? 1 : 3);
      if (age >= 1 || (from.weapon === "missile" && isFlying(from, loop + 1))) continue;
      const [[startX, startY], [endX, endY]] = edgeToEdge(from, to);
      pen.globalAlpha = from.is_healer ? 0.75 : 1 - age;
      pen.strokeStyle = pen.fillStyle = from.is_healer ? colour.heal : colour[side(from)];
      pen.lineWidth = Math.max(1.2, 0.06 * view.scale) * (from.is_healer ? 2 : 1);
      pen.beginPath();
      pen.moveTo(startX, startY);
      pen.lineTo(endX, endY);
      if (from.weapon === "beams") {
        const [x, y] = onCanvas(position(to));
        const length = Math.hypot(endX - startX, endY - startY);
        const reach = (from.splash_half_length * view.scale) / length;
        const [across, along] = [(startY - endY) * reach, (endX - startX) * reach];
        pen.moveTo(x - across, y - along);
        pen.lineTo(x + across, y + along);
      }
      pen.stroke();
      circle(endX, endY, 0.1 * view.scale);
      pen.fill();
    }
    pen.globalAlpha = 1;
  }

  function drawMissiles() {
    const loop = Math.floor(now);
    for (const unit of units.filter((one) => one.weapon === "missile" && isFlying(one, loop))) {
      const last = unit.shots.findLast((shot) => shot.loop < loop);
      if (!last) continue;
      const isReleasing = unit.shots.some((shot) => shot.loop === loop);
      const start = [track.missile_x[unit.index][loop], track.missile_y[unit.index][loop]];
      const end = isFlying(unit, loop + 1) && !isReleasing
        ? [track.missile_x[unit.index][loop + 1], track.missile_y[unit.index][loop + 1]]
        : position(last.to, loop + 1);
      const passed = now - loop;
      const [x, y] = onCanvas(start.map((value, axis) => value + (end[axis] - value) * passed));
      circle(x, y, Math.max(2, 0.13 * view.scale));
      pen.fillStyle = colour[side(unit)];
      pen.fill();
      pen.lineWidth = 1;
      pen.strokeStyle = colour.ground;
      pen.stroke();
    }
  }

  function drawRanges(unit) {
    const [x, y] = onCanvas(position(unit));
    const ranges = unit.isAlly ? Object.entries(replay.ranges) : [];
    if (unit.range) ranges.push([unit.is_healer ? "heal" : "weapon", unit.range + unit.radius]);
    const dashes = { sight: [2, 4], shoot: [7, 4] };
    for (const [name, cells] of ranges) {
      const length = cells * view.scale;
      pen.lineWidth = 1.5;
      pen.setLineDash(dashes[name] ?? []);
      pen.strokeStyle = name in dashes ? colour.ink : colour[side(unit)];
      circle(x, y, length);
      pen.stroke();
      const places = [[x, y - length], [x, y + length], [x - length, y], [x + length, y]];
      const place = places.find(([atX, atY]) => isInside(atX, atY));
      if (place) write(`${name} ${+cells.toFixed(2)}`, ...place);
    }
    pen.setLineDash([]);
    pen.lineWidth = 2;
    pen.strokeStyle = colour.ink;
    circle(x, y, unit.radius * view.scale + 5);
    pen.stroke();
  }

  const isInside = (x, y) =>
    x > 40 && x < canvas.clientWidth - 40 && y > 8 && y < canvas.clientHeight - 8;

  function write(text, x, y) {
    pen.font = "600 11px system-ui, sans-serif";
    pen.setLineDash([]);
    pen.lineWidth = 4;
    pen.strokeStyle = colour.ground;
    pen.strokeText(text, x, y);
    pen.fillStyle = colour.ink;
    pen.fillText(text, x, y);
  }

  function draw() {
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    drawTerrain(width, height);
    units.filter((unit) => !isAlive(unit)).forEach(drawDeath);
    const marked = hovered ?? chosen;
    if (marked && isAlive(marked)) drawRanges(marked);
    fromGroundToAir.filter((unit) => isAlive(unit)).forEach(drawUnit);
    drawShots();
    drawMissiles();
    describe(marked);
  }

  // ---- The strength of both sides over time, behind the slider

  function drawStrength() {
    const graph = element("strength");
    const [width, height] = fit(graph);
    const paper = graph.getContext("2d");
    const floor = height - 10;
    paper.lineWidth = 2;
    strength.forEach((values, index) => {
      paper.strokeStyle = colour[index ? "enemy" : "ally"];
      paper.setLineDash(index ? [5, 3] : []);
      paper.beginPath();
      values.forEach((value, loop) => {
        paper.lineTo(8 + (loop / nLoops) * (width - 16), floor - value * (floor - 3));
      });
      paper.stroke();
    });
  }

  // ---- Words

  function actionName(agent, action) {
    const words = ["dead", "stop", "↑ north", "↓ south", "→ east", "← west"];
    if (action < words.length) return words[action];
    const target = action - words.length;
    return allies[agent].is_healer ? `heal agent ${target}` : `attack enemy ${target}`;
  }

  const rows = allies.map((unit) => {
    const row = element("actions").insertRow();
    row.insertCell().textContent = isMixed ? `${unit.id} ${unit.name}` : unit.id;
    row.insertCell();
    row.addEventListener("pointerenter", () => point(unit));
    row.addEventListener("pointerleave", () => point(null));
    row.addEventListener("click", () => choose(unit));
    return row;
  });

  function describe(unit) {
    const step = Math.min(Math.floor(now / replay.loops_per_step), replay.n_steps - 1);
    if (element("step").textContent !== `${step}`) {
      element("step").textContent = step;
      rows.forEach((row, agent) => {
        row.cells[1].textContent = actionName(agent, actions[agent][step]);
        row.className = actions[agent][step] ? "" : "dead";
      });
    }
    rows.forEach((row, agent) => row.classList.toggle("chosen", unit === allies[agent]));
    const done = Math.floor(now / replay.loops_per_step);
    const loop = Math.floor(now);
    const seconds = (now / LOOPS_PER_SECOND).toFixed(1);
    const clock =
      `after ${done} of ${replay.n_steps} steps · loop ${loop} of ${nLoops} · ${seconds} s`;
    element("clock").textContent = clock;
    element("scrub").setAttribute("aria-valuetext", clock);
    element("reward").textContent = done ? replay.rewards[done - 1].toFixed(2) : "–";
    element("return").textContent = returns[done].toFixed(2);
    [allies, enemies].forEach((members, index) => {
      const name = index ? "enemy" : "ally";
      element(`${name}-alive`).textContent = members.filter((member) => isAlive(member)).length;
      const percent = `${(100 * strength[index][loop]).toFixed(0)}`;
      element(`${name}-left`).style.setProperty("--left", `${percent}%`);
      element(`${name}-left`).setAttribute("aria-valuenow", percent);
    });
    element("verdict").hidden = now < nLoops;
    element("unit").textContent = unit ? sentence(unit) : "Point at a unit to see its ranges.";
  }

  function sentence(unit) {
    const name = nameOf(unit);
    const who = `${name[0].toUpperCase()}${name.slice(1)}, ${unit.name}`;
    if (!isAlive(unit)) return `${who}: died in loop ${unit.death}.`;
    const left = (field) => `${field} ${+valueOf(field, unit).toFixed(1)} of ${unit[field]}`;
    const points = ["health", "shield", "energy"].filter((field) => unit[field]).map(left);
    const wait = valueOf("cooldown", unit);
    if (unit.range && !unit.is_healer) {
      points.push(wait > 0 ? `weapon ready in ${wait.toFixed(1)} loops` : "weapon ready");
    }
    const [x, y] = position(unit).map((value) => value.toFixed(2));
    return `${who}: ${points.join(", ")}; at (${x}, ${y}).`;
  }

  // ---- Time

  let lastFrame = 0;

  function goTo(moment) {
    now = Math.min(Math.max(moment, 0), nLoops);
    element("scrub").value = now;
    draw();
  }

  function setPlaying(wanted) {
    if (wanted && now >= nLoops) now = 0;
    isPlaying = wanted;
    element("play").textContent = wanted ? "Pause" : "Play";
    element("unit").setAttribute("aria-live", wanted ? "off" : "polite");
    if (wanted) {
      lastFrame = performance.now();
      requestAnimationFrame(advance);
    }
  }

  function advance(time) {
    if (!isPlaying) return;
    const loopsPerSecond = LOOPS_PER_SECOND * Number(element("speed").value);
    goTo(now + (Math.max(time - lastFrame, 0) / 1000) * loopsPerSecond);
    lastFrame = time;
    if (now >= nLoops) setPlaying(false);
    else requestAnimationFrame(advance);
  }

  function jump(loops, unit) {
    setPlaying(false);
    goTo((loops > 0 ? Math.floor(now / unit + 1e-6) + 1 : Math.ceil(now / unit - 1e-6) - 1) * unit);
  }

  function faster(by) {
    const speed = element("speed");
    speed.selectedIndex = Math.min(Math.max(speed.selectedIndex + by, 0), speed.length - 1);
  }

  // ---- Pointing and choosing

  function point(unit) {
    if (hovered === unit) return;
    hovered = unit;
    draw();
  }

  function choose(unit) {
    chosen = chosen === unit ? null : unit;
    draw();
  }

  function unitAt(event) {
    const box = canvas.getBoundingClientRect();
    let [nearest, best] = [null, Infinity];
    for (const unit of units.filter((one) => isAlive(one))) {
      const [x, y] = onCanvas(position(unit));
      const gap = Math.hypot(x - event.clientX + box.left, y - event.clientY + box.top);
      if (gap < Math.min(best, unit.radius * view.scale + 6)) [nearest, best] = [unit, gap];
    }
    return nearest;
  }

  function chooseNext(by) {
    const living = units.filter((unit) => isAlive(unit));
    const place = living.indexOf(chosen);
    chosen = living[(place < 0 ? (by > 0 ? 0 : -1) : place + by + living.length) % living.length];
    draw();
  }

  const keys = {
    " ": () => setPlaying(!isPlaying),
    ArrowLeft: () => jump(-1, replay.loops_per_step),
    ArrowRight: () => jump(1, replay.loops_per_step),
    ",": () => jump(-1, 1),
    ".": () => jump(1, 1),
    Home: () => goTo(0),
    End: () => goTo(nLoops),
    "+": () => faster(1),
    "-": () => faster(-1),
    m: () => element("whole").click(),
    "[": () => chooseNext(-1),
    "]": () => chooseNext(1),
    Escape: () => choose(chosen),
  };

  document.addEventListener("keydown", (event) => {
    const action = keys[event.key];
    const own = event.key === " " ? "select, button, summary, input[type=checkbox]" : "select";
    const isOther = event.target.matches?.(own) || event.ctrlKey || event.metaKey || event.altKey;
    if (!action || isOther) return;
    event.preventDefault();
    action();
  });
  canvas.addEventListener("pointermove", (event) => point(unitAt(event)));
  canvas.addEventListener("pointerleave", () => point(null));
  canvas.addEventListener("click", (event) => choose(unitAt(event)));
  element("scrub").addEventListener("input", (event) => {
    setPlaying(false);
    goTo(Number(event.target.value));
  });
  element("play").addEventListener("click", () => setPlaying(!isPlaying));
  element("back").addEventListener("click", () => jump(-1, replay.loops_per_step));
  element("forward").addEventListener("click", () => jump(1, replay.loops_per_step));
  element("whole").addEventListener("change", layOut);
  window.addEventListener("resize", layOut);
  window.addEventListener("hashchange", start);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    readColours();
    layOut();
  });

  /** `#step=20`, `#loop=163` and `&unit=3` show a moment and a unit, paused. */
  function start() {
    const wish = new URLSearchParams(location.hash.slice(1));
    if (wish.has("unit")) chosen = units[Number(wish.get("unit"))] ?? null;
    const loop = wish.has("step") ? wish.get("step") * replay.loops_per_step : wish.get("loop");
    goTo(Number(loop));
    const isCalm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    setPlaying(loop === null && window === window.parent && !isCalm);
  }

  element("scrub").max = nLoops;
  element("verdict").textContent = `${replay.outcome} after ${replay.n_steps} steps`;
  readColours();
  layOut();
  start();
})();
