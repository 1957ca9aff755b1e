// The map: an observable over two parameters, with its modes, its validity and the point.

const MAP = { top: 32, bottom: 366 }; // the frame, whose sides leave room for words
const BAR = { gap: 18, width: 18 };
const LEVELS = 64; // of colour

// The colour at a share of a scale, between those of its stops.
function colourOf(stops, share) {
  const at = Math.min(Math.max(share, 0), 1) * (stops.length - 1), k = Math.min(Math.floor(at), stops.length - 2);
  const parts = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  const [low, high] = [parts(stops[k]), parts(stops[k + 1])];
  return `rgb(${low.map((c, i) => Math.round(c + (at - k) * (high[i] - c))).join(" ")})`;
}

// The scale of colours of the numbers on the map: of an observable of both signs as far to one side of 0 as to the other.
function colourScale(values) {
  const range = rangeOf(values), { isSigned } = ranges[chosen.observable];
  const [low, high] = range.low > range.high ? [0, 1] : isSigned ? [-range.largest, range.largest] : [range.low, range.high];
  const axis = axisOf(kindOfScale(), low, high, MAP.bottom, MAP.top, range.floor);
  const stops = data.colours[isSigned ? "diverging" : "sequential"];
  const levelOf = (value) => Math.round(((axis.place(value) - MAP.bottom) / (MAP.top - MAP.bottom)) * (LEVELS - 1));
  return { axis, levelOf, colour: (level) => colourOf(stops, level / (LEVELS - 1)) };
}

function rowsOfMap() {
  const place = at.slice();
  return ascending(dimensions[chosen.up]).map((j) => ascending(dimensions[chosen.across]).map((i) => {
    place[chosen.across] = i;
    place[chosen.up] = j;
    return flat(place);
  }));
}

function gridOfMap(rows, right) {
  const y = axisOfDimension(dimensions[chosen.up], MAP.bottom, MAP.top), left = leftOf(y.ticks);
  return { x: axisOfDimension(dimensions[chosen.across], left, right), y, rows, frame: { ...MAP, left, right } };
}

function drawnBar(scale, observable, from) {
  const parts = [], step = (MAP.bottom - MAP.top) / LEVELS, to = from + BAR.width;
  for (let level = 0; level < LEVELS; level++) {
    parts.push(svg("rect", { class: "cell", x: from, y: MAP.bottom - (level + 1) * step, width: BAR.width, height: step + 0.5, fill: scale.colour(level) }));
  }
  parts.push(svg("rect", { class: "frame", x: from, y: MAP.top, width: BAR.width, height: MAP.bottom - MAP.top }));
  for (const t of scale.axis.ticks) {
    parts.push(svg("line", { class: "frame", x1: to, x2: to + 5, y1: scale.axis.place(t.at), y2: scale.axis.place(t.at) }));
    parts.push(svg("text", { class: "bar tick", x: to + 8, y: scale.axis.place(t.at) + 7 }, t.words));
  }
  parts.push(svg("text", { class: "title", id: "bar-title", x: 636, y: 18, "text-anchor": "end" }, titleOf(observable.name, observable.unit, scale.axis.power)));
  return parts;
}

// Lines that are seen on any colour: with a halo beneath.
const lineOnMap = (kind, path) => [svg("path", { class: `${kind}-halo`, d: path }), svg("path", { class: kind, id: `map-${kind}`, d: path })];

function drawnRegions(grid, observable, legend) {
  const parts = [];
  const add = (kind, regions, words) => {
    const region = regions.get(kind);
    if (!region) return;
    parts.push(svg("path", { class: kind, id: `map-${kind}`, d: region.path, fill: `url(#map-${kind}-hatch)`, "data-cells": region.cells }));
    legend.push(legendItem(kind, words));
  };
  add("missing", regionsOf(grid, (n) => (observable.values[n] === null ? "missing" : null)), "no number");
  const doubts = regionsOf(grid, doubtAt);
  add("doubtful", doubts, wordsOfRegion("doubtful"));
  add("broken", doubts, wordsOfRegion("broken"));
  return parts;
}

function drawnLines(grid, observable, legend) {
  const parts = [];
  const add = (kind, path, words) => {
    if (!path) return;
    parts.push(...lineOnMap(kind, path));
    legend.push(legendItem(kind, words));
  };
  if (data.mode) add("border", bordersOf(grid, modeAt), "border between modes");
  if (data.validity !== null) {
    add("limit-doubtful", contourOf(grid, validityAt, DOUBTFUL), `validity = ${DOUBTFUL}`);
    add("limit-broken", contourOf(grid, validityAt, WRONG), `validity = ${WRONG}`);
  }
  add("zero", contourOf(grid, (n) => observable.values[n], 0), `${observable.name} = 0`);
  return parts;
}

function drawnModes(grid) {
  const parts = [];
  for (const [mode, region] of regionsOf(grid, modeAt)) {
    const words = data.modes[mode], place = placeForWords(region, words);
    if (place) parts.push(svg("text", { class: "region", x: place.x, y: Math.min(Math.max(place.y + 6, MAP.top + 20), MAP.bottom - 8), "text-anchor": "middle" }, words));
  }
  return parts;
}

function drawnStatuses(grid, observable, legend) {
  const parts = [];
  grid.rows.forEach((row, j) => row.forEach((n, i) => {
    if (data.status[n] && observable.values[n] !== null) parts.push(svg("circle", { class: "odd", cx: grid.x.centres[i], cy: grid.y.centres[j], r: 4 }));
  }));
  if (parts.length) legend.push(legendItem("odd", "status is not OK"));
  return parts;
}

// All but the point.
function drawGround() {
  const observable = observables[chosen.observable], rows = rowsOfMap(), legend = [];
  const scale = colourScale(rows.flat().map((n) => observable.values[n]));
  const bar = 640 - leftOf(scale.axis.ticks) - BAR.width, grid = gridOfMap(rows, bar - BAR.gap);
  const ground = svg("g", {}), patterns = hatches("map");
  patterns.querySelectorAll("pattern").forEach((pattern) => (pattern.id += "-hatch"));
  ground.append(patterns);
  for (const [level, region] of regionsOf(grid, (n) => (observable.values[n] === null ? null : scale.levelOf(observable.values[n])))) {
    ground.append(svg("path", { class: "cell", d: region.path, fill: scale.colour(level) }));
  }
  ground.append(...drawnRegions(grid, observable, legend), ...drawnLines(grid, observable, legend), ...drawnStatuses(grid, observable, legend));
  if (data.mode) ground.append(...drawnModes(grid));
  const [across, up] = [dimensions[chosen.across], dimensions[chosen.up]];
  ground.append(...drawnAxes(grid.frame, grid.x, grid.y, { x: titleOf(across.name, across.unit, grid.x.power), y: titleOf(up.name, up.unit, grid.y.power) }));
  ground.append(...drawnBar(scale, observable, bar));
  element("legend").replaceChildren(...legend);
  return { ground, grid };
}

function drawnPoint(grid) {
  const [across, up] = [dimensions[chosen.across].places[at[chosen.across]], dimensions[chosen.up].places[at[chosen.up]]];
  const { frame } = grid, x = grid.x.place(across), y = grid.y.place(up), made = svg("g", {});
  made.append(
    svg("line", { class: "cursor", x1: x, x2: x, y1: frame.top, y2: frame.bottom }),
    svg("line", { class: "cursor", x1: frame.left, x2: frame.right, y1: y, y2: y }),
    svg("circle", { class: "mark", id: "map-mark", cx: x, cy: y, r: 7, "data-x": across, "data-y": up }),
  );
  return made;
}

let shown = { key: null }; // what the map shows, drawn again only where that changes

function drawMap() {
  const others = at.map((index, k) => (mapped().includes(k) ? null : index));
  const key = JSON.stringify([chosen.observable, chosen.scale, chosen.across, chosen.up, others]);
  if (key !== shown.key) shown = { key, ...drawGround() };
  element("map").replaceChildren(shown.ground, drawnPoint(shown.grid));
  const { name, values } = observables[chosen.observable], mode = modeAt(flat(at));
  const places = mapped().map((k) => `${dimensions[k].name} ${valueOfParameter(dimensions[k], at[k])}`).join(", ");
  element("map").setAttribute("aria-label", `Map of ${name}; arrow keys move the point. Here ${places}: ${written(values[flat(at)])}${mode === null ? "" : `, ${data.modes[mode]}`}`);
}
