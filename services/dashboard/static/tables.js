// Pools, routes and orders: the parts of the page that are words and small drawings.

import { clock, element, percent } from "/static/words.js";

const SVG = "http://www.w3.org/2000/svg";

function shape(tag, className, d) {
  const node = document.createElementNS(SVG, tag);
  node.setAttribute("class", className);
  node.setAttribute("d", d);
  return node;
}

function steps(line, height, most, closed) {
  const width = 96 / line.length;
  let path = "";
  let open = false;
  line.forEach((value, i) => {
    if (value === null) { if (open && closed) path += `V${height}Z`; open = false; return; }
    const y = (height - (value / most) * (height - 2)).toFixed(1);
    const x = (i * width).toFixed(1);
    path += open ? `V${y}` : closed ? `M${x} ${height}V${y}` : `M${x} ${y}`;
    path += `H${((i + 1) * width).toFixed(1)}`;
    open = true;
  });
  return open && closed ? `${path}V${height}Z` : path;
}

function spark(pool) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 96 30");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const most = Math.max(1, ...pool.wanted_line, ...pool.ready_line);
  svg.append(shape("path", "area", steps(pool.wanted_line, 30, most, true)));
  svg.append(shape("path", "ready", steps(pool.ready_line, 30, most, false)));
  return svg;
}

function condition(pool) {
  const words = [];
  if (pool.coming) words.push(`${pool.coming} starting`);
  if (pool.draining) words.push(`${pool.draining} draining`);
  if (pool.failed) words.push(`${pool.failed} failed`);
  if (pool.signal === "stale" || pool.signal === "missing") words.push(`signal ${pool.signal}`);
  return words.join(", ") || (pool.utilisation === null ? "" : `load ${percent(pool.utilisation)}`);
}

function poolRow(pool) {
  const row = element("div", "pool");
  row.title = [pool.reason, pool.clip].filter(Boolean).join(" · ");
  const name = element("div");
  name.append(element("b", "", pool.model));
  const doubt = pool.signal === "stale" || pool.signal === "missing";
  name.append(element("small", doubt ? "uncertain" : "", [pool.vm_type, condition(pool)].filter(Boolean).join(" · ")));
  const state = element("div", "state", `${pool.ready} / ${pool.wanted}`);
  state.setAttribute("aria-label", `${pool.ready} ready of ${pool.wanted} wanted`);
  row.append(name, spark(pool), state);
  return row;
}

export function showPools(node, pools) {
  const alive = pools.filter((pool) => pool.wanted || pool.ready || pool.coming || pool.draining
    || pool.ready_line.some(Boolean) || pool.wanted_line.some(Boolean));
  if (!alive.length) {
    node.replaceChildren(element("p", "empty", "No fleet has been reported yet."));
    return;
  }
  const columns = [...new Set(alive.map((pool) => pool.region))].map((region) => {
    const column = element("div");
    const title = element("h3", "", region);
    title.append(element("small", "", "ready / wanted"));
    column.append(title);
    column.append(...alive.filter((pool) => pool.region === region).map(poolRow));
    return column;
  });
  node.replaceChildren(...columns);
}

function shareCell(share) {
  const cell = element("td", share ? "" : "none", share ? percent(share, share < 0.01 ? 1 : 0) : "·");
  cell.style.setProperty("--heat", `${Math.round(12 + 88 * share) * (share > 0)}%`);
  if (share > 0.5) cell.classList.add("hot");
  return cell;
}

export function showRoutes(node, routes, regions) {
  if (!routes.length) {
    node.replaceChildren(element("p", "empty", "No routing table yet."));
    return;
  }
  const table = element("table");
  const head = table.createTHead().insertRow();
  head.append(...["from ↓ to →", ...regions].map((name) => element("th", "", name)), element("th", "shed", "shed"));
  const body = table.createTBody();
  const reasons = element("ul", "reasons");
  for (const origin of regions) {
    const route = routes.find((known) => known.origin === origin);
    if (!route) continue;
    const row = body.insertRow();
    row.append(element("th", "", route.origin));
    row.append(...regions.map((name) => shareCell(route.shares[name] ?? 0)));
    row.append(element("td", route.shed ? "shed worse" : "shed none", route.shed ? percent(route.shed, 1) : "·"));
    const line = element("li");
    const said = route.accepted === null ? "not answered yet" : route.accepted ? "accepted" : "rejected";
    line.append(element("b", "", route.origin), ` table ${said}${route.reason ? `: ${route.reason}` : ""}`);
    line.title = `version ${route.version}`;
    reasons.append(line);
  }
  node.replaceChildren(table, reasons);
}

export function showLog(node, commands) {
  if (!commands.length) {
    node.replaceChildren(element("li", "empty", "Nothing has been ordered yet."));
    return;
  }
  node.replaceChildren(...commands.map((command) => {
    const line = element("li");
    const refused = command.state === "refused" || command.state === "expired";
    line.append(
      element("time", "", clock(command.at)),
      element("span", "where", command.region),
      element("span", "what", command.what),
      element("span", "why", refused && command.outcome ? `${command.outcome} · ${command.reason}` : command.reason),
      element("span", `chip ${command.state}`, command.state),
    );
    return line;
  }));
}
