"use strict";
// Small helpers that draw into SVG; the page says what is drawn.

function make(namespace, tag, attributes, children) {
  const node = namespace ? document.createElementNS(namespace, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}
const html = (tag, attributes, ...children) => make(null, tag, attributes, children);
const svg = (tag, attributes, ...children) => make("http://www.w3.org/2000/svg", tag, attributes, children);

const grouped = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const number = (value) => (Math.abs(value) >= 100 ? grouped.format(value) : String(+value.toPrecision(3)));

function scale(low, high, from, to) {
  const span = high - low || 1;
  return (value) => from + ((value - low) / span) * (to - from);
}

// Round numbers that cover [low, high], about `wanted` of them.
function ticks(low, high, wanted) {
  const rough = (high - low) / Math.max(1, wanted) || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((unit) => unit * power >= rough * 0.999);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-6; at += step) found.push(+at.toPrecision(12));
  return found;
}

// Shares near 1 are told apart by how many miss: 90%, 99%, 99.9% stand one step apart.
const MOST_NINES = 4;
const nines = (share) => Math.min(MOST_NINES, -Math.log10(Math.max(1e-12, 1 - share)));
const percent = (share) => `${+(100 * share).toFixed(4)}%`;
const SHARES = [0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 0.99999];

function frame(node, says, margin = {}) {
  const box = { left: 52, right: 12, top: 10, bottom: 26, ...margin };
  const width = Math.max(220, node.clientWidth), height = Math.max(80, node.clientHeight);
  const plot = svg("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": says });
  node.replaceChildren(plot);
  return { plot, x0: box.left, x1: width - box.right, y0: height - box.bottom, y1: box.top };
}

function empty(node, says) {
  node.replaceChildren(html("div", { class: "empty" }, says));
}

function acrossAt(f, x, label, css = "tick") {
  f.plot.append(svg("line", { class: css, x1: x, x2: x, y1: f.y0, y2: f.y1 }));
  if (label) f.plot.append(svg("text", { x, y: f.y0 + 17, "text-anchor": "middle" }, label));
}

function upAt(f, y, label, css = "tick") {
  f.plot.append(svg("line", { class: css, x1: f.x0, x2: f.x1, y1: y, y2: y }));
  if (label) f.plot.append(svg("text", { x: f.x0 - 8, y: y + 4, "text-anchor": "end" }, label));
}

// Labels that would touch are left out, the first one of two stays.
function shareTicks(f, y, low, high) {
  let last = Infinity;
  for (const share of SHARES) {
    const at = nines(share);
    if (at < low - 1e-9 || at > high + 1e-9) continue;
    const place = y(at);
    const room = last - place >= 17;
    upAt(f, place, room ? percent(share) : null);
    if (room) last = place;
  }
}

const DAY = 86400;
const clock = (at) => new Date(at * 1000).toISOString().slice(11, 16);
const day = (at) => new Date(at * 1000).toUTCString().slice(0, 7).replace(",", "");

function timeTicks(f, x, begin, end) {
  const room = Math.max(2, Math.floor((f.x1 - f.x0) / 64));
  const long = end - begin > 2 * DAY;
  const steps = [300, 900, 1800, 3600, 7200, 10800, 14400, 21600, 43200, DAY, 2 * DAY, 7 * DAY];
  const step = steps.find((one) => (end - begin) / one <= room && (!long || one >= DAY)) ?? 7 * DAY;
  for (let at = Math.ceil(begin / step) * step; at <= end; at += step) {
    acrossAt(f, x(at), long ? day(at) : clock(at));
  }
}

const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

function area(x, y, times, low, high) {
  const up = times.map((at, i) => [x(at), y(high[i])]);
  const back = times.map((at, i) => [x(at), y(low[i])]).reverse();
  return `${path(up)}${path(back).replace("M", "L")}Z`;
}
