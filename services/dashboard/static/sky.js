// The regions under their own sun: where it stands is their local hour.

import { put, tokens } from "/static/words.js";

const HORIZON = 62;
const NIGHTFALL = 18;

// The sun crosses the sky from 6 to 18, the moon from 18 to 6, both from left to right.
function way(hour) {
  return ((hour - 6 + 24) % 12) / 12;
}

function height(part) {
  return HORIZON - 46 * Math.sin(part * Math.PI);
}

function skyAt(hour) {
  if (hour < 5 || hour >= 21) return "night";
  if (hour < 7.5) return "dawn";
  return hour < NIGHTFALL - 0.5 ? "day" : "dusk";
}

// The sky is the right part of a tile; words stand in the left one, also on a phone.
const WEST = 0.63;
const WIDTH = 0.31;

const ARC = Array.from({ length: 49 }, (_, i) => `${i ? "L" : "M"}${(240 * (WEST + WIDTH * (i / 48))).toFixed(1)} ${height(i / 48).toFixed(1)}`).join("");

export function showSky(regions, overall) {
  for (const region of regions) {
    const tile = document.querySelector(`.tile[data-region="${CSS.escape(region.name)}"]`);
    tile.dataset.sky = skyAt(region.local_hour);
    tile.querySelector(".arc").setAttribute("d", ARC);
    const orb = tile.querySelector(".orb");
    const part = way(region.local_hour);
    orb.classList.toggle("moon", region.local_hour < 6 || region.local_hour >= NIGHTFALL);
    orb.style.left = `${(WEST + WIDTH * part) * 100}%`;
    orb.style.top = `${(height(part) / 90) * 100}%`;
    const own = region.mode === overall ? "" : ` · ${region.mode}`;
    put(tile.querySelector(".local"), `${region.local_time} there${own}`);
    put(tile.querySelector(".tokens"), tokens(region.tokens_per_second));
    put(tile.querySelector(".standing"), `${region.ready} replicas ready, ${region.wanted} wanted`);
  }
}
