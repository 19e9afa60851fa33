// The page: choices at the top of each card, charts drawn again when a choice or the width changes.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const colours = new Map();
let next = 1;
for (const one of data.policies) colours.set(one.name, one.name === "heliostat" ? 0 : next++ % 8);
if (![...colours.values()].includes(0)) colours.set(data.policies[0].name, 0);
const paint = (name) => `--c: var(--p${colours.get(name) ?? 4})`;
const dashes = (name) => ([...colours.keys()].indexOf(name) >= 8 ? "6 3" : null);
const recorded = data.policies.filter((one) => one.record);

for (const dot of document.querySelectorAll(".dot")) dot.setAttribute("style", paint(dot.dataset.policy));
for (const list of document.querySelectorAll(".policies")) list.append(...data.policies.map((one) => html("li", { style: paint(one.name) }, one.name)));

function options(select, names, first) {
  if (first) select.append(html("option", { value: "" }, first));
  for (const name of names) select.append(html("option", { value: name }, name));
}

// --- what attainment costs -------------------------------------------------------------------

function drawFrontier() {
  const node = byId("frontier");
  const points = data.policies.flatMap((one) => one.frontier.filter((p) => p.kept && p.billed));
  if (!points.length) return empty(node, "no setting finished");
  const limits = Object.entries({ "LP bound": data.bound.lp_gpu_hours, "causal oracle": data.bound.causal_oracle_gpu_hours })
    .filter(([, bound]) => bound).map(([name, bound]) => [name, bound.mean]);
  const hours = [...points.map((p) => p.billed[0]), ...limits.map(([, h]) => h)];
  const lowest = Math.min(...hours), highest = Math.max(...hours), pad = Math.max((highest - lowest) * 0.06, highest * 0.02, 0.01);
  const kept = points.map((p) => nines(p.kept[0]));
  const low = Math.max(0, Math.min(nines(data.asked) - 0.3, ...kept) - 0.12);
  const high = Math.min(MOST_NINES, Math.max(nines(data.asked) + 0.3, ...kept) + 0.15);
  const f = frame(node, "Attainment against billed GPU-hours, a line per policy", { bottom: 42 });
  const x = scale(Math.max(0, lowest - pad), highest + pad, f.x0, f.x1), y = scale(low, high, f.y0, f.y1);
  for (const at of ticks(Math.max(0, lowest - pad), highest + pad, (f.x1 - f.x0) / 90)) acrossAt(f, x(at), number(at));
  shareTicks(f, y, low, high);
  f.plot.append(svg("text", { x: (f.x0 + f.x1) / 2, y: f.y0 + 36, "text-anchor": "middle" }, "billed GPU-hours"));
  upAt(f, y(nines(data.asked)), null, "goal");
  f.plot.append(svg("text", { class: "goal", x: f.x1, y: y(nines(data.asked)) - 5, "text-anchor": "end" }, `${percent(data.asked)} asked`));
  limits.forEach(([name, at], i) => {
    acrossAt(f, x(at), null, "limit");
    f.plot.append(svg("text", { class: "halo", x: x(at) + 5, y: f.y0 - 8 - 15 * i }, name));
  });
  const inside = (share) => y(Math.min(high, Math.max(low, nines(share))));
  for (const one of data.policies) {
    const own = one.frontier.filter((p) => p.kept && p.billed);
    const group = svg("g", { style: paint(one.name) });
    group.append(svg("path", { class: "line faint", "stroke-dasharray": dashes(one.name), d: path(own.map((p) => [x(p.billed[0]), inside(p.kept[0])])) }));
    for (const p of own) {
      const cx = x(p.billed[0]), cy = inside(p.kept[0]);
      if (p.billed[1] !== null) group.append(svg("line", { class: "whisker", x1: Math.max(f.x0, x(p.billed[1])), x2: Math.min(f.x1, x(p.billed[2])), y1: cy, y2: cy }));
      if (p.kept[1] !== null) group.append(svg("line", { class: "whisker", x1: cx, x2: cx, y1: inside(Math.max(0, p.kept[1])), y2: inside(Math.min(1, p.kept[2])) }));
      const says = `${one.name}, headroom ${p.headroom}: ${percent(p.kept[0])} in SLO, ${number(p.billed[0])} GPU-hours`;
      group.append(svg("circle", { class: p.failed ? "open" : "point", cx, cy, r: 4 }, svg("title", {}, says + (p.failed ? ", a seed failed" : ""))));
      if (p.headroom === one.chosen) group.append(svg("circle", { class: "ring", cx, cy, r: 8 }));
    }
    f.plot.append(group);
  }
}

// --- where the hours went --------------------------------------------------------------------

const KINDS = { busy: "work", idle: "idle", over: "scaling overhead", lent: "lent", owed: "owed" };

function drawHours() {
  const node = byId("hours");
  const shown = data.policies.filter((one) => one.figures?.gpu_hours_billed);
  if (!shown.length) return empty(node, "no policy finished");
  const thick = Math.max(32, Math.min(52, 320 / shown.length));
  node.style.height = `${thick * shown.length + 34}px`;
  const names = Math.min(130, 16 + 7 * Math.max(...shown.map((one) => one.name.length)));
  const f = frame(node, "Billed GPU-hours of each policy: work, idle, scaling overhead, owed", { left: names, right: 16, top: 2 });
  const most = Math.max(...shown.map((one) => one.figures.gpu_hours_billed[2] ?? one.figures.gpu_hours_billed[0]));
  const x = scale(0, most * 1.02, f.x0, f.x1);
  for (const at of ticks(0, most, (f.x1 - f.x0) / 80)) acrossAt(f, x(at), number(at));
  shown.forEach((one, i) => {
    const [billed, low, high] = one.figures.gpu_hours_billed;
    const [idle, over, lent, owed] = ["idle_gpu_hours", "scaling_overhead_gpu_hours", "gpu_hours_lent", "gpu_hours_owed"].map((name) => one.figures[name]?.[0] ?? 0);
    const top = f.y1 + i * thick + 5;
    let from = 0;
    for (const [css, hours] of [["busy", billed - idle - over - lent - owed], ["idle", idle], ["over", over], ["lent", lent], ["owed", owed]]) {
      if (!hours && (css === "lent" || css === "owed")) continue;
      f.plot.append(svg("rect", { class: css, x: x(from), y: top, width: Math.max(0, x(from + hours) - x(from)), height: thick - 12 },
        svg("title", {}, `${one.name}, ${KINDS[css]}: ${number(hours)} GPU-hours (${percent(+(hours / billed).toFixed(3))})`)));
      from += hours;
    }
    if (low !== null) f.plot.append(svg("line", { class: "whisker", style: "--c: var(--ink)", x1: x(low), x2: x(high), y1: top + thick / 2 - 6, y2: top + thick / 2 - 6 }));
    f.plot.append(svg("text", { x: f.x0 - 8, y: top + thick / 2 - 2, "text-anchor": "end" }, one.name));
  });
}

// --- capacity against need -------------------------------------------------------------------

const pools = [...new Set(recorded.flatMap((one) => Object.keys(one.record.pools)))].sort();

function sumOf(record, pool) {
  const names = pool ? [pool] : Object.keys(record.pools);
  const length = Math.max(0, ...Object.values(record.pools).map((one) => one.busy.length));
  const total = { busy: Array(length).fill(0), ready: Array(length).fill(0), overhead: Array(length).fill(0), lent: Array(length).fill(0) };
  for (const name of names) {
    for (const column of Object.keys(total)) {
      record.pools[name]?.[column]?.forEach((value, i) => { total[column][i] += value; });
    }
  }
  return total;
}

function drawCapacity() {
  const node = byId("capacity"), pool = byId("pool").value;
  if (!recorded.length) return empty(node, "no run was recorded");
  const sums = recorded.map((one) => sumOf(one.record, pool));
  const most = Math.max(1, ...sums.flatMap((s) => s.ready.map((ready, i) => Math.max(ready, s.busy[i]) + s.overhead[i] + s.lent[i])));
  const captions = recorded.map(() => html("span", {}));
  const boxes = recorded.map(() => html("div", { class: "chart" }));
  node.replaceChildren(...recorded.map((one, i) => html("figure", {}, html("figcaption", {}, one.name, captions[i]), boxes[i])));
  const cursors = recorded.map((one, i) => drawOnePool(boxes[i], one, sums[i], most));
  const hours = (values, step) => (values.reduce((a, b) => a + b, 0) * step) / 3600;
  const tell = (at) => recorded.forEach((one, i) => {
    const { start, step } = one.record, s = sums[i], place = at === null ? -1 : Math.floor((at - start) / step);
    cursors[i](place);
    captions[i].textContent = s.ready[place] === undefined
      ? `need ${number(hours(s.busy, step))} · idle ${number(hours(s.ready, step) - hours(s.busy, step))} · overhead ${number(hours(s.overhead, step))} GPU-hours`
      : `${day(start + place * step)} ${clock(start + place * step)} · need ${number(s.busy[place])} · idle ${number(s.ready[place] - s.busy[place])} · overhead ${number(s.overhead[place])} GPUs`;
  });
  tell(null);
  boxes.forEach((box, i) => {
    const { start, step } = recorded[i].record, length = sums[i].busy.length;
    box.addEventListener("pointermove", (event) => {
      const rect = box.getBoundingClientRect(), share = (event.clientX - rect.left - 52) / (rect.width - 64);
      tell(share < 0 || share > 1 ? null : start + Math.min(length - 1, Math.floor(share * length)) * step);
    });
    box.addEventListener("pointerleave", () => tell(null));
  });
}

function drawOnePool(box, one, sums, most) {
  const { start, step } = one.record, length = sums.busy.length;
  const f = frame(box, `${one.name}: GPUs ready and coming against the need over time`);
  const times = sums.busy.map((_, i) => start + (i + 0.5) * step);
  const x = scale(start, start + length * step, f.x0, f.x1), y = scale(0, most * 1.05, f.y0, f.y1);
  const ready = sums.ready.map((value, i) => Math.max(value, sums.busy[i]));
  const ours = ready.map((value, i) => value + sums.overhead[i]);
  const billed = ours.map((value, i) => value + sums.lent[i]);
  const zero = times.map(() => 0);
  for (const at of ticks(0, most * 1.05, 4)) upAt(f, y(at), number(at));
  timeTicks(f, x, start, start + length * step);
  f.plot.append(
    svg("path", { class: "busy", d: area(x, y, times, zero, sums.busy) }),
    svg("path", { class: "idle", d: area(x, y, times, sums.busy, ready) }),
    svg("path", { class: "over", d: area(x, y, times, ready, ours) }),
    svg("path", { class: "lent", d: area(x, y, times, ours, billed) }),
    svg("rect", { class: "catch", x: f.x0, y: f.y1, width: f.x1 - f.x0, height: f.y0 - f.y1 }),
  );
  const cursor = svg("line", { class: "cursor", y1: f.y0, y2: f.y1, visibility: "hidden" });
  f.plot.append(cursor);
  return (place) => {
    const there = place >= 0 && place < length;
    cursor.setAttribute("visibility", there ? "visible" : "hidden");
    if (there) for (const end of ["x1", "x2"]) cursor.setAttribute(end, x(times[place]));
  };
}

// --- latency ---------------------------------------------------------------------------------

const WORDS = { ttft: "time to first token", itl: "time between tokens", e2e: "end to end" };
const latencies = [...new Set(data.policies.flatMap((one) => Object.keys(one.latencies ?? {})))];

function drawLatency() {
  const node = byId("distribution"), name = byId("latency").value;
  const shown = data.policies.filter((one) => one.latencies?.[name]);
  if (!shown.length) return empty(node, "nothing was measured");
  const seconds = shown.flatMap((one) => one.latencies[name].seconds);
  const low = Math.log10(Math.max(1e-4, Math.min(...seconds))), high = Math.max(low + 0.5, Math.log10(Math.max(...seconds)));
  const f = frame(node, `Distribution of ${name}`, { bottom: 42 });
  const x = scale(low, high, f.x0, f.x1), y = scale(0, 4, f.y0, f.y1);
  shareTicks(f, y, 0, 4);
  for (let at = Math.ceil(low); at <= high + 1e-9; at += 1) {
    acrossAt(f, x(at), at < 0 ? `${+(10 ** (at + 3)).toPrecision(1)} ms` : `${grouped.format(10 ** at)} s`);
  }
  f.plot.append(svg("text", { x: (f.x0 + f.x1) / 2, y: f.y0 + 36, "text-anchor": "middle" }, "seconds, in powers of ten"));
  for (const one of shown) {
    const { seconds: at, shares } = one.latencies[name];
    const points = at.map((value, i) => [x(Math.max(low, Math.log10(value))), y(Math.min(4, nines(shares[i])))]);
    const beyond = shares.findIndex((share) => nines(share) >= 4);
    f.plot.append(svg("path", { class: "line", style: paint(one.name), "stroke-dasharray": dashes(one.name), d: path(beyond < 0 ? points : points.slice(0, beyond + 1)) },
      svg("title", {}, one.name)));
  }
}

// --- in SLO over time ------------------------------------------------------------------------

const tiers = [...new Set(recorded.flatMap((one) => Object.keys(one.record.tiers)))];

// By the hour, or by the quarter of an hour where the run is short.
function kept(record, tier) {
  const names = tier ? [tier] : Object.keys(record.tiers), sums = new Map();
  const length = Math.max(0, ...Object.values(record.tiers).map((one) => one.judged.length)) * record.step;
  const bin = Math.max(record.step, length > DAY / 2 ? 3600 : 900);
  for (const name of names) {
    record.tiers[name]?.judged.forEach((judged, i) => {
      const at = Math.floor((record.start + i * record.step) / bin) * bin;
      const [j, m] = sums.get(at) ?? [0, 0];
      sums.set(at, [j + judged, m + record.tiers[name].met[i]]);
    });
  }
  return [...sums].filter(([, [judged]]) => judged > 0).map(([at, [judged, met]]) => [at + bin / 2, Math.min(1, met / judged)]);
}

function drawKept() {
  const node = byId("kept"), tier = byId("tier").value;
  const lines = recorded.map((one) => [one.name, kept(one.record, tier)]).filter(([, line]) => line.length);
  if (!lines.length) return empty(node, "no requests in this tier");
  const all = lines.flatMap(([, line]) => line), times = all.map(([at]) => at);
  const low = Math.max(0, Math.min(nines(data.asked), ...all.map(([, share]) => nines(share))) - 0.05);
  const f = frame(node, "Share of requests in SLO over time");
  const begin = Math.min(...times), end = Math.max(begin + 60, ...times);
  const x = scale(begin, end, f.x0, f.x1), y = scale(low, 4, f.y0, f.y1);
  shareTicks(f, y, low, 4);
  timeTicks(f, x, begin, end);
  upAt(f, y(nines(data.asked)), null, "goal");
  for (const [name, line] of lines) {
    f.plot.append(svg("path", { class: "line", style: paint(name), "stroke-dasharray": dashes(name), d: path(line.map(([at, share]) => [x(at), y(Math.min(4, nines(share)))])) },
      svg("title", {}, name)));
  }
}

// --- decisions -------------------------------------------------------------------------------

const PAGE = 100;
const decisions = recorded.flatMap((one) => one.record.decisions.map(([at, pool, before, target, reason, detail, outcome]) => {
  const text = (place) => one.record.texts[place];
  return { at, policy: one.name, pool: text(pool), before, target, reason: text(reason), detail: text(detail), outcome: text(outcome) };
})).sort((a, b) => a.at - b.at);
let listed = PAGE;

function row(one) {
  const outcome = one.outcome.replace(/^applied$/, "");
  return html("li", {},
    html("time", { datetime: new Date(one.at * 1000).toISOString() }, `${day(one.at)} ${clock(one.at)}`),
    html("span", { class: "where" }, html("i", { class: "dot", style: paint(one.policy) }), one.pool || `${one.policy}: the plan`),
    html("span", { class: "move" }, one.pool ? `${one.before} → ${one.target}` : ""),
    html("span", { class: "why" }, one.reason, one.detail ? html("small", {}, one.detail) : ""),
    html("span", { class: /refused|expired/.test(outcome) ? "what bad" : "what" }, outcome));
}

function drawLog() {
  const policy = byId("log-policy").value, pool = byId("log-pool").value, text = byId("log-text").value.trim().toLowerCase();
  const found = decisions.filter((one) => (!policy || one.policy === policy) && (!pool || one.pool === pool)
    && (!text || `${clock(one.at)} ${one.policy} ${one.pool} ${one.reason} ${one.detail} ${one.outcome}`.toLowerCase().includes(text)));
  const missing = recorded.filter((one) => !policy || one.name === policy).reduce((sum, one) => sum + one.record.left_out, 0);
  byId("log-count").textContent = `${grouped.format(found.length)} decisions${missing ? `; ${grouped.format(missing)} later ones not stored` : ""}`;
  byId("log").replaceChildren(...(found.length ? found.slice(0, listed).map(row) : [html("li", { class: "none" }, "No matches.")]));
  byId("log-more").hidden = found.length <= listed;
}

function listAnew() { listed = PAGE; drawLog(); }

// --- putting it together ---------------------------------------------------------------------

options(byId("pool"), pools, "all pools");
options(byId("tier"), tiers, "all tiers");
options(byId("log-policy"), recorded.map((one) => one.name), "all policies");
options(byId("log-pool"), [...new Set(decisions.map((one) => one.pool))].filter(Boolean).sort(), "all pools");
for (const name of latencies) {
  const [what, tier] = name.split("/");
  byId("latency").append(html("option", { value: name }, `${WORDS[what]}, ${tier}`));
}
const charts = [drawFrontier, drawHours, drawCapacity, drawLatency, drawKept];
byId("pool").addEventListener("change", drawCapacity);
byId("latency").addEventListener("change", drawLatency);
byId("tier").addEventListener("change", drawKept);
for (const id of ["log-policy", "log-pool"]) byId(id).addEventListener("change", listAnew);
byId("log-text").addEventListener("input", listAnew);
byId("log-more").addEventListener("click", () => { listed += PAGE; drawLog(); });

const root = document.documentElement;
root.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
byId("theme").addEventListener("click", () => { root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark"; });

let width = 0;
new ResizeObserver(() => {
  if (document.body.clientWidth !== width) {
    width = document.body.clientWidth;
    for (const draw of charts) draw();
  }
}).observe(document.body);
drawLog();
