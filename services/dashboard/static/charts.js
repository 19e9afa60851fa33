// The line charts: each is told its series once and its data at every picture.

import uPlot from "/static/vendor/uplot/uPlot.esm.js";
import { percent, tokens } from "/static/words.js";

const charts = new Map();

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Themes change colours, which uPlot keeps in its options: charts are made anew.
export function forgetCharts() {
  for (const { plot } of charts.values()) plot.destroy();
  charts.clear();
}

function axis(extra = {}) {
  return {
    stroke: colour("--soft"), font: "12px system-ui", labelFont: "12px system-ui",
    grid: { stroke: colour("--grid"), width: 1 }, ticks: { show: false }, ...extra,
  };
}

function options(node, series, kind) {
  const label = kind === "share" ? (value) => percent(value) : tokens;
  return {
    width: node.clientWidth, height: node.clientHeight, series: [{}, ...series.lines],
    bands: series.bands ?? [], legend: { show: false }, cursor: { show: false },
    padding: [8, 18, 0, 0], // the last hour's label stands half beyond the plot
    tzDate: (ts) => uPlot.tzDate(new Date(ts * 1e3), "Etc/UTC"),
    scales: {
      x: { time: true },
      y: { range: (_, low, high) => (kind === "share"
        ? [Math.max(0, Math.min(0.9, Math.floor((low ?? 1) * 20) / 20)), 1.004]
        : [0, Math.max(high || 1, node.most ?? 0) * 1.08]) },
    },
    axes: [
      axis({ size: 30, space: 56, values: (_, ticks) => ticks.map((at) => new Date(at * 1000).toISOString().slice(11, 16)) }),
      axis({ size: 52, space: 34, values: (_, ticks) => ticks.map((at) => ("empty" in node.dataset ? "" : label(at))) }),
    ],
    hooks: { draw: [series.over ?? (() => {})] },
  };
}

function show(node, data, build, kind, says) {
  const empty = data.slice(1).every((line) => line.every((value) => value === null));
  if (empty) node.dataset.empty = "no data yet";
  else delete node.dataset.empty;
  node.setAttribute("aria-label", empty ? "no data yet" : says);
  const known = charts.get(node);
  if (known && known.lines === data.length) {
    known.plot.setData(data);
  } else {
    known?.plot.destroy();
    charts.set(node, { lines: data.length, plot: new uPlot(options(node, build(), kind), data, node) });
  }
}

new ResizeObserver(() => {
  for (const [node, { plot }] of charts) {
    if (plot.width !== node.clientWidth) plot.setSize({ width: node.clientWidth, height: node.clientHeight });
  }
}).observe(document.documentElement);

function stack(lines) {
  const sums = [];
  let below = null;
  for (const line of lines) {
    below = line.map((value, i) => (value === null ? null : value + (below?.[i] ?? 0)));
    sums.push(below);
  }
  return sums;
}

// The largest sum over all models: regions are drawn to one scale, so that they can be compared.
export function highest(loads) {
  const sums = Object.values(loads).flatMap((byModel) => stack(Object.values(byModel)).at(-1) ?? []);
  return sums.reduce((most, value) => Math.max(most, value ?? 0), 0);
}

export function showLoad(node, grid, byModel, most) {
  node.most = most;
  const names = Object.keys(byModel);
  const sums = stack(names.map((name) => byModel[name]));
  const build = () => ({
    // The tallest sum is drawn first, so that each lower one paints over its part.
    lines: names.map((_, i) => names.length - 1 - i).map((i) => ({
      stroke: colour(`--m${i % 6}`), fill: colour(`--m${i % 6}`), width: 1, points: { show: false },
    })),
  });
  const top = sums.at(-1)?.filter((value) => value !== null) ?? [];
  show(node, [grid, ...sums.reverse()], build, "tokens",
    `Load by model, at most ${tokens(Math.max(0, ...top))} prompt tokens per second`);
}

export function showExpectation(node, grid, seen, now) {
  node.now = now;
  const build = () => ({
    lines: [
      { stroke: "transparent", points: { show: false } },
      { stroke: colour("--sun"), width: 1.5, dash: [5, 4], points: { show: false } },
      { stroke: colour("--ink"), width: 2, points: { show: false } },
    ],
    bands: [{ series: [1, 2], fill: `color-mix(in srgb, ${colour("--sun-fill")} 32%, transparent)` }],
    over: (plot) => {
      const x = Math.round(plot.valToPos(node.now, "x", true));
      plot.ctx.fillStyle = colour("--sun-fill");
      plot.ctx.fillRect(x, plot.bbox.top, 2, plot.bbox.height);
    },
  });
  const last = seen.came.filter((value) => value !== null).at(-1);
  show(node, [grid, seen.high, seen.median, seen.came], build, "tokens",
    `Forecast band from median to 95 % and actual load; last ${tokens(last)} tokens per second`);
}

export function showRivals(node, grid, ours, theirs, kind, says) {
  const build = () => ({
    lines: [
      { stroke: colour("--slate"), width: 1.8, points: { show: false } },
      { stroke: colour("--sun-fill"), width: 2.4, points: { show: false } },
    ],
  });
  show(node, [grid, theirs, ours], build, kind, says);
}
