"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const { dimensions, observables } = data;
const at = dimensions.map((d) => Math.floor(d.places.length / 2)); // the point: an index along each dimension
const strides = dimensions.map((_, k) => dimensions.slice(k + 1).reduce((n, d) => n * d.places.length, 1));
const flat = (place) => place.reduce((n, index, k) => n + index * strides[k], 0);
const element = (id) => document.getElementById(id);
const withUnit = (text, unit) => (unit ? `${text} ${unit}` : text);
const written = (value) => (value === null ? "none" : String(Number(value.toPrecision(6))));

// What is drawn: an observable along a dimension.
const chosen = { observable: data.first, axis: 0 };
const frame = { left: 100, right: 615, top: 14, bottom: 332 };

function svg(kind, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function ticks(low, high) {
  const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((s) => s * power >= rough);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(k * step);
  return found;
}

function decades(low, high) {
  const found = [], factors = Math.log10(high / low) < 1.5 ? [1, 2, 5] : [1];
  for (let k = Math.floor(Math.log10(low)); k <= Math.ceil(Math.log10(high)); k++)
    for (const f of factors) if (f * 10 ** k >= low * 0.999 && f * 10 ** k <= high * 1.001) found.push(f * 10 ** k);
  return found;
}

// From values to pixels; one value alone stands in the middle.
function scale(low, high, from, to, logarithmic) {
  if (low === high) [low, high] = logarithmic ? [low / 2, high * 2] : [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  const of = logarithmic ? Math.log : (x) => x;
  return { low, high, place: (x) => from + ((of(x) - of(low)) / (of(high) - of(low))) * (to - from) };
}

function along() {
  const k = chosen.axis, place = at.slice();
  return dimensions[k].places
    .map((x, index) => {
      place[k] = index;
      const n = flat(place);
      return { x, index, y: observables[chosen.observable].values[n], status: data.status[n] };
    })
    .sort((a, b) => a.x - b.x);
}

let onAxis = null; // the scale of the drawn axis, for the pointer

function draw() {
  const points = along(), known = points.filter((p) => p.y !== null);
  const dimension = dimensions[chosen.axis], observable = observables[chosen.observable];
  const x = scale(points[0].x, points[points.length - 1].x, frame.left, frame.right, dimension.log);
  let low = Math.min(...known.map((p) => p.y)), high = Math.max(...known.map((p) => p.y));
  if (!known.length) [low, high] = [0, 1];
  const room = low === high ? 0 : 0.06 * (high - low);
  const y = scale(low - room, high + room, frame.bottom, frame.top, false);
  onAxis = { x, points };
  const drawing = element("curve"), parts = [];
  for (const t of ticks(y.low, y.high)) {
    parts.push(svg("line", { class: "grid", x1: frame.left, x2: frame.right, y1: y.place(t), y2: y.place(t) }));
    parts.push(svg("text", { x: frame.left - 8, y: y.place(t) + 7, "text-anchor": "end" }, Number(t.toPrecision(4))));
  }
  for (const t of dimension.log ? decades(x.low, x.high) : ticks(x.low, x.high)) {
    parts.push(svg("line", { class: "grid", x1: x.place(t), x2: x.place(t), y1: frame.top, y2: frame.bottom }));
    parts.push(svg("text", { x: x.place(t), y: frame.bottom + 26, "text-anchor": "middle" }, Number(t.toPrecision(4))));
  }
  parts.push(svg("rect", { class: "frame", x: frame.left, y: frame.top, width: frame.right - frame.left, height: frame.bottom - frame.top }));
  const middle = (frame.left + frame.right) / 2;
  parts.push(svg("text", { x: middle, y: frame.bottom + 56, "text-anchor": "middle" }, withUnit(dimension.name, dimension.unit && `(${dimension.unit})`)));
  let path = "", open = false;
  for (const p of points) {
    if (p.y !== null) path += `${open ? "L" : "M"}${x.place(p.x).toFixed(2)} ${y.place(p.y).toFixed(2)}`;
    open = p.y !== null;
  }
  parts.push(svg("path", { class: "line", id: "line", d: path }));
  const many = points.length > 60;
  for (const p of known) {
    if (p.status || !many) parts.push(svg("circle", { class: p.status ? "odd" : "dot", cx: x.place(p.x), cy: y.place(p.y), r: p.status ? 4 : 3 }));
  }
  const here = points.find((p) => p.index === at[chosen.axis]);
  parts.push(svg("line", { class: "cursor", x1: x.place(here.x), x2: x.place(here.x), y1: frame.top, y2: frame.bottom }));
  if (here.y !== null) parts.push(svg("circle", { class: "mark", id: "mark", cx: x.place(here.x), cy: y.place(here.y), r: 7, "data-x": here.x, "data-y": here.y }));
  if (!known.length) parts.push(svg("text", { x: middle, y: (frame.top + frame.bottom) / 2, "text-anchor": "middle" }, "no numbers here"));
  drawing.replaceChildren(...parts);
  const range = known.length ? `from ${written(low)} to ${written(high)}` : "no numbers";
  drawing.setAttribute("aria-label", `${observable.name} along ${dimension.name}, ${range}; here ${written(here.y)}`);
}

function tell() {
  const n = flat(at);
  observables.forEach((observable, k) => (element(`value-${k}`).textContent = written(observable.values[n])));
  const status = data.status[n];
  element("status").hidden = status === 0;
  element("status").textContent = status === 0 ? "" : data.words[status];
  dimensions.forEach((d, k) => {
    const text = withUnit(d.words[at[k]], d.unit);
    element(`output-${k}`).textContent = text;
    element(`slider-${k}`).value = at[k];
    element(`slider-${k}`).setAttribute("aria-valuetext", text);
  });
  draw();
}

function row(cells) {
  const made = document.createElement("tr");
  cells.forEach(([kind, text, attributes]) => made.append(Object.assign(document.createElement(kind), { textContent: text, ...attributes })));
  return made;
}

observables.forEach((observable, k) => {
  element("observable").append(new Option(withUnit(observable.name, observable.unit && `(${observable.unit})`), k, k === chosen.observable, k === chosen.observable));
  element("readout").append(row([["th", observable.name, { scope: "row" }], ["td", "", { id: `value-${k}`, className: "number" }], ["td", observable.unit, {}]]));
});
dimensions.forEach((d, k) => {
  element("axis").append(new Option(d.name, k));
  const box = Object.assign(document.createElement("div"), { className: "slider" });
  const label = Object.assign(document.createElement("label"), { htmlFor: `slider-${k}`, textContent: d.name });
  label.append(Object.assign(document.createElement("output"), { id: `output-${k}` }));
  label.lastChild.htmlFor.add(`slider-${k}`);
  const slider = Object.assign(document.createElement("input"), { type: "range", id: `slider-${k}`, min: 0, max: d.places.length - 1, step: 1 });
  slider.addEventListener("input", () => { at[k] = Number(slider.value); tell(); });
  box.append(label, slider);
  element("sliders").append(box);
});
element("observable").addEventListener("change", (event) => { chosen.observable = Number(event.target.value); tell(); });
element("axis").addEventListener("change", (event) => { chosen.axis = Number(event.target.value); tell(); });
function follow(event) {
  const box = element("curve").getBoundingClientRect(), ratio = Math.min(box.width / 640, box.height / 400);
  const pixel = (event.clientX - box.left - (box.width - 640 * ratio) / 2) / ratio;
  const away = (p) => Math.abs(onAxis.x.place(p.x) - pixel);
  at[chosen.axis] = onAxis.points.reduce((best, p) => (away(p) < away(best) ? p : best)).index;
  tell();
}
element("curve").addEventListener("pointerdown", follow);
element("curve").addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
tell();
