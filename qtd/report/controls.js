// What a person can change: choices, sliders, and the pointer and keys on drawings.

function cell(kind, text, attributes = {}) {
  return Object.assign(document.createElement(kind), { textContent: text, ...attributes });
}

function row(...cells) {
  const made = document.createElement("tr");
  made.append(...cells);
  return made;
}

function addObservables() {
  observables.forEach((observable, k) => {
    const isFirst = k === chosen.observable;
    element("observable").append(new Option(titleOf(observable.name, observable.unit, 0), k, isFirst, isFirst));
    const slopes = mapped().map((_, i) => cell("td", "", { id: `slope-${k}-${i}`, className: "slope" }));
    element("readout").append(row(cell("th", observable.name, { scope: "row" }), cell("td", "", { id: `value-${k}`, className: "number" }), cell("td", observable.unit, { id: `unit-${k}` }), ...slopes));
  });
}

function nameColumns() {
  const words = (text, className) => cell("th", text, { scope: "col", className });
  const breakable = (path) => path.replaceAll(".", ".\u200b"); // a narrow screen may break it after its dots
  const slopes = mapped().map((k) => words(`∂ / ∂ ${breakable(dimensions[k].name)}`, "slope"));
  element("columns").replaceChildren(words("observable", ""), words("value", "number"), words("unit", ""), ...slopes);
  const kinds = new Set(observables.flatMap((o) => mapped().map((k) => Boolean(o.slopes[k]))));
  const exact = "exact, by automatic differentiation", differences = "from differences between neighbouring points of the grid";
  element("derivatives").textContent = `Derivatives: ${kinds.size > 1 ? `${exact}; after ≈ ${differences}` : kinds.has(true) ? exact : differences}.`;
}

function addSlider(d, k) {
  const made = Object.assign(document.createElement("div"), { className: "slider" });
  const label = Object.assign(document.createElement("label"), { htmlFor: `slider-${k}`, textContent: d.name });
  const output = Object.assign(document.createElement("output"), { id: `output-${k}` });
  const slider = Object.assign(document.createElement("input"), { type: "range", id: `slider-${k}`, min: 0, max: d.places.length - 1, step: 1 });
  output.htmlFor.add(slider.id);
  label.append(output);
  slider.addEventListener("input", () => { at[k] = Number(slider.value); tell(); });
  made.append(label, slider);
  element("sliders").append(made);
}

function chooseObservable(k) {
  chosen.observable = k;
  chosen.scale = ranges[k].spansDecades ? "log" : "linear";
  element("scale").value = chosen.scale;
}

// Of two parameters of a map the other one changes places where both would be the same.
function chooseAxisOfMap(which, other, k) {
  if (chosen[other] === k) chosen[other] = chosen[which];
  chosen[which] = k;
  element(other).value = chosen[other];
  nameColumns();
}

function onChange(id, choose) {
  element(id).addEventListener("change", (event) => { choose(event.target.value); tell(); });
}

function placeOf(event, drawing) {
  return new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse());
}

// The index whose place on an axis is closest.
function closest(axis, pixel) {
  const away = (i) => Math.abs(axis.centres[i] - pixel);
  return axis.order[axis.order.map((_, i) => i).reduce((best, i) => (away(i) < away(best) ? i : best))];
}

function followPointer(drawing, move) {
  const follow = (event) => { move(placeOf(event, drawing)); tell(); };
  drawing.addEventListener("pointerdown", (event) => { drawing.setPointerCapture(event.pointerId); follow(event); });
  drawing.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
}

const STEPS = { ArrowLeft: ["across", -1], ArrowRight: ["across", 1], ArrowDown: ["up", -1], ArrowUp: ["up", 1] };

function followKeys(event) {
  if (!STEPS[event.key]) return;
  event.preventDefault();
  const [which, step] = STEPS[event.key], k = chosen[which], order = (which === "across" ? shown.grid.x : shown.grid.y).order;
  const next = order[order.indexOf(at[k]) + step];
  if (next !== undefined) at[k] = next;
  tell();
}

function addMap() {
  for (const [which, other] of [["across", "up"], ["up", "across"]]) {
    dimensions.forEach((d, k) => element(which).append(new Option(d.name, k, k === chosen[which], k === chosen[which])));
    onChange(which, (value) => chooseAxisOfMap(which, other, Number(value)));
  }
  followPointer(element("map"), (place) => {
    at[chosen.across] = closest(shown.grid.x, place.x);
    at[chosen.up] = closest(shown.grid.y, place.y);
  });
  element("map").addEventListener("keydown", followKeys);
}

element("map-panel").hidden = !isMapped;
element("bench").classList.toggle("mapped", isMapped);
addObservables();
dimensions.forEach((d, k) => { element("axis").append(new Option(d.name, k)); addSlider(d, k); });
onChange("observable", (value) => chooseObservable(Number(value)));
onChange("scale", (value) => { chosen.scale = value; });
onChange("axis", (value) => { chosen.axis = Number(value); });
followPointer(element("curve"), (place) => { at[chosen.axis] = closest(curve, place.x); });
if (isMapped) addMap();
nameColumns();
chooseObservable(chosen.observable);
tell();
