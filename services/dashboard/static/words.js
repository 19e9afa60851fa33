// How numbers and instants read on the page.

export function tokens(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (value >= 1e4) return `${Math.round(value / 1e3)} k`;
  if (value >= 1e3) return `${(value / 1e3).toFixed(1)} k`;
  return value < 10 && !Number.isInteger(value) ? value.toFixed(1) : `${Math.round(value)}`;
}

export function whole(value) {
  return value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en-US");
}

export function percent(value, digits = 0) {
  return value === null || value === undefined ? "–" : `${(100 * value).toFixed(digits)} %`;
}

export function clock(epoch) {
  return new Date(epoch * 1000).toISOString().slice(11, 16);
}

export function day(epoch) {
  const date = new Date(epoch * 1000);
  return date.toLocaleDateString("en-GB", {
    weekday: "long", day: "numeric", month: "long", timeZone: "UTC",
  }) + " UTC";
}

export function speed(value) {
  if (value === 1) return "real time";
  if (!value) return "paused";
  return `${value >= 100 ? Math.round(value) : value.toFixed(1)} × real time`;
}

export function change(ours, theirs) {
  if (ours === null || theirs === null || !theirs) return null;
  return (ours - theirs) / theirs;
}

// Sets text only where it differs, so that nothing flickers and screen readers stay calm.
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}
