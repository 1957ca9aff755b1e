// The data, the point, and what is told of it: the curve and the table.

const data = JSON.parse(document.getElementById("data").textContent);
const { dimensions, observables } = data;
const [DOUBTFUL, WRONG] = data.limits;
const element = (id) => document.getElementById(id);

const at = dimensions.map((d) => Math.floor(d.places.length / 2)); // the point: an index along each dimension
const strides = dimensions.map((_, k) => dimensions.slice(k + 1).reduce((n, d) => n * d.places.length, 1));
const flat = (place) => place.reduce((n, index, k) => n + index * strides[k], 0);
const chosen = { observable: data.first, scale: "linear", axis: 0, across: 0, up: 1 }; // what is drawn
const isMapped = dimensions.length > 1;

const validityAt = (n) => (data.validity === null ? null : observables[data.validity].values[n]);
const modeAt = (n) => (data.mode === null ? null : data.mode[n]);
const doubtAt = (n) => {
  const validity = validityAt(n);
  return validity === null || validity <= DOUBTFUL ? null : validity > WRONG ? "broken" : "doubtful";
};
const WORDS_OF_DOUBT = { doubtful: "doubtful", broken: "does not hold" };
const wordOfDoubt = (n) => (validityAt(n) === null ? "" : WORDS_OF_DOUBT[doubtAt(n)] || "holds");

// Of some numbers of an observable: how small and how large, and which scale shows most of them.
function rangeOf(values) {
  const known = values.filter((v) => v !== null), sizes = known.map(Math.abs).filter((v) => v > 0).sort((a, b) => a - b);
  const low = known.reduce((a, b) => Math.min(a, b), Infinity), high = known.reduce((a, b) => Math.max(a, b), -Infinity);
  const quantile = (share) => sizes[Math.floor(share * (sizes.length - 1))] || 1;
  const largest = sizes.length ? sizes[sizes.length - 1] : 1;
  const kind = low > 0 ? "log" : "signed"; // of its logarithmic scale
  return { low, high, largest, isSigned: low < 0, kind, floor: Math.max(quantile(0.05), 1e-6 * largest), spansDecades: largest > 30 * quantile(0.5) };
}
const ranges = observables.map((observable) => rangeOf(observable.values));
const kindOfScale = () => (chosen.scale === "log" ? ranges[chosen.observable].kind : "linear");

function svg(kind, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Patterns of what is doubtful, does not hold, and is not known; each drawing has its own.
function hatches(owner) {
  const hatch = (kind, size, lines) => {
    const made = svg("pattern", { id: `${owner}-${kind}`, class: kind, width: size, height: size, patternUnits: "userSpaceOnUse" });
    made.append(svg("rect", { width: size, height: size }), svg("path", { class: "under", d: lines }), svg("path", { d: lines }));
    return made;
  };
  const made = svg("defs", {});
  made.append(hatch("doubtful", 14, "M-2 16L16 -2"), hatch("broken", 12, "M-1 13L13 -1M-1 -1L13 13"), hatch("missing", 10, "M-1 -1L11 11"));
  return made;
}

function legendItem(kind, words) {
  const item = document.createElement("li"), sample = svg("svg", { viewBox: "0 0 34 18", "aria-hidden": "true" });
  if (["doubtful", "broken", "missing"].includes(kind)) sample.append(hatches(`sample-${kind}`), svg("rect", { class: "patch", x: 1, y: 1, width: 32, height: 16, fill: `url(#sample-${kind}-${kind})` }));
  else if (kind === "odd") sample.append(svg("circle", { class: kind, cx: 17, cy: 9, r: 5 }));
  else sample.append(svg("path", { class: `${kind}-halo`, d: "M1 9H33" }), svg("path", { class: kind, d: "M1 9H33" }));
  item.append(sample, words);
  return item;
}

// Grid lines, words on the ticks and titles of two axes in a frame.
function drawnAxes(frame, x, y, titles) {
  const parts = [], onFrame = (words) => Math.min(Math.max(words.length * LETTER / 2, 0), frame.right);
  for (const t of y.ticks) {
    parts.push(svg("line", { class: "grid", x1: frame.left - 5, x2: frame.right, y1: y.place(t.at), y2: y.place(t.at) }));
    parts.push(svg("text", { class: "y tick", x: frame.left - 9, y: y.place(t.at) + 7, "text-anchor": "end" }, t.words));
  }
  for (const t of x.ticks) {
    const half = onFrame(t.words);
    parts.push(svg("line", { class: "grid", x1: x.place(t.at), x2: x.place(t.at), y1: frame.top, y2: frame.bottom + 5 }));
    parts.push(svg("text", { class: "x tick", x: Math.min(Math.max(x.place(t.at), half), 640 - half), y: frame.bottom + 26, "text-anchor": "middle" }, t.words));
  }
  parts.push(svg("rect", { class: "frame", x: frame.left, y: frame.top, width: frame.right - frame.left, height: frame.bottom - frame.top }));
  parts.push(svg("text", { class: "title", x: (frame.left + frame.right) / 2, y: frame.bottom + 56, "text-anchor": "middle" }, titles.x));
  parts.push(svg("text", { class: "title", x: 4, y: 18 }, titles.y));
  return parts;
}

const leftOf = (ticks) => 22 + LETTER * Math.max(1, ...ticks.map((t) => t.words.length)); // room for words beside the frame

function pointsAlong(k) {
  const place = at.slice(), observable = observables[chosen.observable], bound = observable.bound === null ? null : observables[observable.bound];
  return ascending(dimensions[k]).map((index) => {
    place[k] = index;
    const n = flat(place);
    return { x: dimensions[k].places[index], index, n, y: observable.values[n], bound: bound && bound.values[n], status: data.status[n] };
  });
}

function withMargin(low, high, kind) {
  if (kind === "log") return { low: low * (low / high) ** 0.05, high: high * (high / low) ** 0.05 };
  if (kind === "signed") return { low: low < 0 ? 1.3 * low : low, high: high > 0 ? 1.3 * high : high };
  return { low: low - 0.06 * (high - low), high: high + 0.06 * (high - low) };
}

// The range of a curve, and of its bound as far as that leaves the curve half of the room.
function rangeOfCurve(points, kind) {
  const known = points.map((p) => p.y).filter((y) => y !== null), bounds = points.map((p) => p.bound).filter((b) => b !== null);
  if (!known.length) return { low: 0, high: 1, isKnown: false };
  const low = Math.min(...known), high = Math.max(...known), room = high - low || Math.abs(high);
  const top = bounds.length ? Math.max(high, Math.min(Math.max(...bounds), Math.max(high + room, Math.min(...bounds)))) : high;
  return { ...withMargin(low, top, kind), smallest: low, largest: high, isKnown: true };
}

const FAR = 9999; // above the drawing, where a bound may be as good as infinite

function lineThrough(points, x, y, valueOf) {
  let path = "", open = false;
  for (const p of points) {
    const value = valueOf(p), isDrawn = value !== null && Number.isFinite(y.place(value)); // no 0 on a logarithmic scale
    if (isDrawn) path += `${open ? "L" : "M"}${x.place(p.x).toFixed(2)} ${Math.max(y.place(value), -FAR).toFixed(2)}`;
    open = isDrawn;
  }
  return path;
}

let curve = null; // the axis of the curve, for the pointer

function drawCurve() {
  const dimension = dimensions[chosen.axis], observable = observables[chosen.observable], kind = kindOfScale();
  const points = pointsAlong(chosen.axis), range = rangeOfCurve(points, kind), frame = { right: 615, top: 32, bottom: 366 };
  const y = axisOf(kind, range.low, range.high, frame.bottom, frame.top, ranges[chosen.observable].floor);
  frame.left = leftOf(y.ticks);
  const x = axisOfDimension(dimension, frame.left, frame.right), grid = { x, y: { edges: [frame.bottom, frame.top] }, rows: [points.map((p) => p.n)] };
  const inside = { "clip-path": "url(#inside)" }, here = points.find((p) => p.index === at[chosen.axis]);
  const clip = svg("clipPath", { id: "inside" }), parts = [hatches("curve"), clip];
  clip.append(svg("rect", { x: frame.left, y: frame.top, width: frame.right - frame.left, height: frame.bottom - frame.top }));
  for (const [doubt, region] of regionsOf(grid, doubtAt)) parts.push(svg("path", { class: doubt, d: region.path, fill: `url(#curve-${doubt})`, "data-cells": region.cells }));
  parts.push(...drawnAxes(frame, x, y, { x: titleOf(dimension.name, dimension.unit, x.power), y: titleOf(observable.name, observable.unit, y.power) }));
  if (y.low < 0 && y.high > 0) parts.push(svg("line", { class: "nought", x1: frame.left, x2: frame.right, y1: y.place(0), y2: y.place(0) }));
  if (observable.bound !== null) parts.push(svg("path", { class: "bound", id: "bound", d: lineThrough(points, x, y, (p) => p.bound), ...inside }));
  parts.push(svg("path", { class: "line", id: "line", d: lineThrough(points, x, y, (p) => p.y), ...inside }));
  for (const p of points) {
    if (p.y !== null && (p.status || points.length <= 60)) parts.push(svg("circle", { class: p.status ? "odd" : "dot", cx: x.place(p.x), cy: y.place(p.y), r: p.status ? 4 : 3 }));
  }
  parts.push(svg("line", { class: "cursor", x1: x.place(here.x), x2: x.place(here.x), y1: frame.top, y2: frame.bottom }));
  if (here.y !== null) parts.push(svg("circle", { class: "mark", id: "mark", cx: x.place(here.x), cy: y.place(here.y), r: 7, "data-x": here.x, "data-y": here.y }));
  if (!range.isKnown) parts.push(svg("text", { x: (frame.left + frame.right) / 2, y: (frame.top + frame.bottom) / 2, "text-anchor": "middle" }, "no numbers here"));
  element("curve").replaceChildren(...parts);
  curve = x;
  tellCurve(dimension, observable, range, here, points);
}

function tellCurve(dimension, observable, range, here, points) {
  const told = range.isKnown ? `from ${written(range.smallest)} to ${written(range.largest)}` : "no numbers";
  element("curve").setAttribute("aria-label", `${observable.name} along ${dimension.name}, ${told}; here ${written(here.y)}`);
  const items = [], doubts = new Set(points.map((p) => doubtAt(p.n)));
  if (observable.bound !== null) items.push(legendItem("bound", `${observables[observable.bound].name}: the bound by the second law`));
  if (points.some((p) => p.status && p.y !== null)) items.push(legendItem("odd", "status is not OK"));
  if (!isMapped) for (const doubt of ["doubtful", "broken"]) if (doubts.has(doubt)) items.push(legendItem(doubt, wordsOfRegion(doubt)));
  element("curve-legend").replaceChildren(...items);
}

const wordsOfRegion = (doubt) => (doubt === "doubtful" ? `doubtful: ${DOUBTFUL} < validity ≤ ${WRONG}` : `does not hold: validity > ${WRONG}`);

// The slope at the middle one of three points of any distances, as of a parabola; of two where one is missing.
function slopeBetween(before, here, after) {
  if (here === undefined || here.y === null) return null;
  const [left, right] = [before, after].map((p) => (p && p.y !== null && p.x !== here.x ? (p.y - here.y) / (p.x - here.x) : null));
  if (left === null || right === null) return left === null ? right : left;
  const [a, b] = [here.x - before.x, after.x - here.x];
  return (left * b + right * a) / (a + b);
}

function difference(observable, k) {
  if (dimensions[k].words) return null;
  const order = ascending(dimensions[k]), here = order.indexOf(at[k]), place = at.slice();
  const pointAt = (i) => {
    if (order[i] === undefined) return undefined;
    place[k] = order[i];
    return { x: dimensions[k].places[order[i]], y: observable.values[flat(place)] };
  };
  return slopeBetween(pointAt(here - 1), pointAt(here), pointAt(here + 1));
}

const mapped = () => (isMapped ? [chosen.across, chosen.up] : [0]); // the parameters that derivatives are told of

// A derivative as text: exact, or after ≈ from differences.
function slopeWords(observable, k) {
  const exact = observable.slopes[k], value = exact ? exact[flat(at)] : difference(observable, k);
  return value === null ? "none" : withUnit(`${exact ? "" : "≈ "}${written(value)}`, observable.units_of_slopes[k]);
}

function tellPoint() {
  const n = flat(at);
  observables.forEach((observable, k) => {
    element(`value-${k}`).textContent = written(observable.values[n]);
    mapped().forEach((d, i) => (element(`slope-${k}-${i}`).textContent = slopeWords(observable, d)));
  });
  if (data.validity !== null) element(`unit-${data.validity}`).textContent = wordOfDoubt(n);
  element("mode").hidden = modeAt(n) === null;
  element("mode").lastElementChild.textContent = modeAt(n) === null ? "" : data.modes[modeAt(n)];
  const status = data.status[n];
  element("status").hidden = status === 0;
  element("status").textContent = status === 0 ? "" : data.words[status];
}

function valueOfParameter(d, index) {
  const others = d.others.map((other) => `${other.name} = ${written(other.values[index])}`);
  return [withUnit(d.words ? d.words[index] : written(d.places[index]), d.unit), ...others].join(", ");
}

function tellSliders() {
  dimensions.forEach((d, k) => {
    const words = valueOfParameter(d, at[k]);
    element(`output-${k}`).textContent = words;
    element(`slider-${k}`).value = at[k];
    element(`slider-${k}`).setAttribute("aria-valuetext", words);
  });
}

function tell() {
  tellSliders();
  tellPoint();
  drawCurve();
  if (isMapped) drawMap();
}
