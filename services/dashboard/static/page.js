// Asks for the picture again and again and hands its parts to those who draw them.

import { forgetCharts, highest, showExpectation, showLoad, showRivals } from "/static/charts.js";
import { showSky } from "/static/sky.js";
import { showLog, showPools, showRoutes } from "/static/tables.js";
import { change, clock, day, element, percent, put, speed, tokens, whole } from "/static/words.js";

const EVERY_MS = Number(document.body.dataset.every);
const at = (id) => document.getElementById(id);
const form = at("focus");
let latest = null;

function gridOf(picture) {
  const [start, step] = [picture.pulse.frame.start, picture.step];
  const buckets = Math.round((picture.pulse.frame.end - start) / step);
  return Array.from({ length: buckets }, (_, i) => start + i * step);
}

function showHead({ pulse, mode, plan }) {
  put(at("now"), clock(pulse.now));
  put(at("day"), day(pulse.now));
  put(at("speed"), speed(pulse.speed));
  put(at("stage"), pulse.stage);
  put(at("mode"), `mode ${mode}`);
  at("mode").dataset.mode = mode;
  const notes = plan?.notes?.length ? ` ${plan.notes.join(" ")}` : "";
  put(at("plan-foot"), plan
    ? `Plan ${plan.version} of ${clock(plan.created_at)} by ${plan.policy}, ${plan.status}.${notes}`
    : "No plan yet.");
}

function versus(node, sub, ours, theirs, show, better, note) {
  const delta = better(ours, theirs);
  node.replaceChildren(show(ours));
  if (delta) node.append(" ", element("em", delta.good ? "better" : "worse", delta.text));
  put(sub, theirs === null ? note : `reactive: ${show(theirs)}`);
}

function showFigures({ rivalry, pools, command_counts: counts }) {
  // Without a rival nobody counts what would have been billed: real clouds cannot run the same day twice.
  for (const card of document.querySelectorAll("[data-rival]")) card.hidden = !rivalry;
  const ours = rivalry?.heliostat;
  const theirs = rivalry?.reactive;
  versus(at("hours"), at("hours-sub"), ours?.gpu_hours_total ?? null, theirs?.gpu_hours_total ?? null, whole, (a, b) => {
    const by = change(a, b);
    return by === null ? null : { good: by <= 0, text: `${by <= 0 ? "−" : "+"}${Math.abs(100 * by).toFixed(1)} %` };
  }, "no data yet");
  versus(at("slo"), at("slo-sub"), ours?.attainment_total ?? null, theirs?.attainment_total ?? null, (v) => percent(v, 2), (a, b) => {
    if (a === null || b === null) return null;
    const points = 100 * (a - b);
    return { good: points >= 0, text: `${points >= 0 ? "+" : "−"}${Math.abs(points).toFixed(2)} points` };
  }, "no data yet");
  const sum = (name) => pools.reduce((total, pool) => total + pool[name], 0);
  put(at("replicas"), whole(sum("ready")));
  put(at("replicas-sub"), `${whole(sum("wanted"))} wanted, ${whole(sum("coming"))} starting, ${whole(sum("draining"))} draining`);
  put(at("orders"), whole(counts.applied));
  put(at("orders-sub"), `applied; ${counts.refused} refused, ${counts.expired} expired, ${counts.cancelled} cancelled, ${counts.pending + counts.leased} open`);
}

function showDispatch({ dispatch }) {
  at("dispatch-card").hidden = !dispatch;
  if (!dispatch) return;
  const { dispatched, queued, other_region: away, shed, completed } = dispatch;
  const seconds = (value) => (value === null ? "–" : `${value.toFixed(2)} s`);
  put(at("dispatch"), whole(dispatched));
  put(at("dispatch-sub"), `dispatched; ${whole(completed)} completed, ${whole(queued)} waited, ${whole(away)} to another region, ${whole(shed)} shed; first token expected after ${seconds(dispatch.expected_ttft_seconds)}, simulated ${seconds(dispatch.simulated_ttft_seconds)}`);
}

function showRivalry(picture, grid) {
  const { rivalry } = picture;
  at("rivalry").hidden = !rivalry;
  if (!rivalry) return;
  showRivals(at("hours-chart"), grid, rivalry.heliostat.gpu_hours, rivalry.reactive.gpu_hours, "tokens", "Billed GPU-hours per 15 minutes of both policies");
  showRivals(at("slo-chart"), grid, rivalry.heliostat.attainment, rivalry.reactive.attainment, "share", "Share of requests within their SLO of both policies");
  put(at("rivalry-foot"), [rivalry.until ? `Totals are up to ${clock(rivalry.until)}.` : "", rivalry.note].join(" ").trim());
}

function draw(picture) {
  const grid = gridOf(picture);
  const seen = picture.expectation;
  showHead(picture);
  showSky(picture.regions, picture.mode);
  showFigures(picture);
  showDispatch(picture);
  const most = highest(picture.load);
  for (const node of document.querySelectorAll("[data-load]")) showLoad(node, grid, picture.load[node.dataset.load], most);
  const models = Object.keys(Object.values(picture.load)[0]);
  if (at("model-legend").childElementCount !== models.length) {
    at("model-legend").replaceChildren(...models.map((name, i) => element("li", `c${i % 6}`, name)));
  }
  showExpectation(at("expectation"), grid, seen, picture.pulse.now);
  put(at("expectation-foot"), seen.issued_at
    ? `The solid line is the actual load. The band spans the median to the 95 % quantile of the last forecast issued at least ${seen.lead / 60} min before. Method: ${seen.method}${seen.degraded ? ` (${seen.degraded})` : ""}. Quantiles do not add up: “all regions” is a separate forecast.`
    : "No forecast of this series yet.");
  showRoutes(at("routes"), picture.routes, picture.regions.map((region) => region.name));
  put(at("routes-title"), `${picture.focus.model}, ${picture.focus.tier}`);
  showRivalry(picture, grid);
  showPools(at("pools"), picture.pools);
  showLog(at("log"), picture.commands);
}

async function look() {
  const words = new URLSearchParams(new FormData(form));
  try {
    const answer = await fetch(`/api/picture?${words}`, { signal: AbortSignal.timeout(15000) });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    latest = await answer.json();
    document.body.dataset.link = "live";
    draw(latest);
  } catch (problem) {
    document.body.dataset.link = latest ? "lost" : "waiting";
    put(at("notice"), latest
      ? `Disconnected: showing data of ${clock(latest.pulse.now)}, retrying.`
      : "No data yet: the control plane does not answer.");
  }
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  forgetCharts();
  if (latest) draw(latest);
}

form.addEventListener("change", (event) => {
  if (event.target.name === "model") {
    const tiers = event.target.selectedOptions[0].dataset.tiers.split(" ");
    form.tier.replaceChildren(...tiers.map((name) => element("option", "", name)));
  }
  look();
});
const dark = window.matchMedia("(prefers-color-scheme: dark)");
at("theme").addEventListener("click", () => {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("theme", next);
  setTheme(next);
});
dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
setTheme(localStorage.getItem("theme") ?? (dark.matches ? "dark" : "light"));

(async function forever() {
  for (;;) {
    await look();
    await new Promise((done) => setTimeout(done, document.hidden ? 5 * EVERY_MS : EVERY_MS));
  }
})();
