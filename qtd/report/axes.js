// Axes: from numbers to places on a drawing, with ticks in words that do not overlap.

const LETTER = 10.6, LINE = 23; // a little more than a letter takes of the drawing's width, and a line of its height

// Linear, logarithmic, or logarithmic to both sides of 0 with what is smaller than `floor` in between.
function transformOf(kind, floor) {
  if (kind === "log") return Math.log10;
  if (kind === "signed") return (x) => Math.sign(x) * Math.log10(1 + Math.abs(x) / floor);
  return (x) => x;
}

function linearTicks(low, high) {
  const rough = (high - low) / 5, decade = 10 ** Math.floor(Math.log10(rough));
  const step = decade * [1, 2, 5, 10].find((s) => s * decade >= rough * 0.999);
  const largest = Math.max(Math.abs(low), Math.abs(high));
  const power = largest >= 1e5 || largest < 1e-3 ? Math.floor(Math.log10(largest)) : 0;
  const decimals = Math.max(0, power - Math.floor(Math.log10(step) + 1e-9));
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) {
    const at = k * step;
    found.push({ at, words: k === 0 ? "0" : withMinus((at / 10 ** power).toFixed(decimals)) });
  }
  return { ticks: found, power };
}

function decadeWords(factor, power) {
  const isPlain = power >= -3 && power < 4;
  return isPlain ? String(Number((factor * 10 ** power).toPrecision(1))) : timesTenTo(factor, power);
}

function logarithmicTicks(low, high) {
  const found = [], factors = Math.log10(high / low) < 1.5 ? [1, 2, 5] : [1];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const factor of factors) {
      const at = factor * 10 ** power;
      if (at >= low * 0.999 && at <= high * 1.001) found.push({ at, words: decadeWords(factor, power) });
    }
  }
  return found.length > 1 ? { ticks: found, power: 0 } : linearTicks(low, high);
}

function signedTicks(low, high, floor) {
  const found = [{ at: 0, words: "0" }];
  for (let power = Math.ceil(Math.log10(floor)); 10 ** power <= Math.max(-low, high); power++) {
    for (const sign of [-1, 1]) found.push({ at: sign * 10 ** power, words: withMinus(decadeWords(sign, power)) });
  }
  return { ticks: found.filter((t) => t.at >= low && t.at <= high).sort((a, b) => a.at - b.at), power: 0 };
}

function ticksOf(kind, low, high, floor) {
  if (kind === "log") return logarithmicTicks(low, high);
  return kind === "signed" ? signedTicks(low, high, floor) : linearTicks(low, high);
}

// As many ticks as have room, at equal distances, counted from 0 where that is one of them.
function spaced(ticks, place, extent) {
  const anchor = Math.max(0, ticks.findIndex((t) => t.at === 0));
  for (let step = 1; step < ticks.length; step++) {
    const kept = ticks.filter((_, i) => (i - anchor) % step === 0);
    const fits = (t, i) => i === 0 || Math.abs(place(t.at) - place(kept[i - 1].at)) > (extent(t) + extent(kept[i - 1])) / 2;
    if (kept.every(fits)) return kept;
  }
  return ticks.slice(anchor, anchor + 1);
}

const isAcross = (from, to) => from < to; // as places on a drawing count from the top
const extentOf = (across) => (tick) => (across ? LETTER * (tick.words.length + 1) : LINE);

// A range that is a range: about its value where there is one alone, or nothing but rounding.
function opened(low, high, kind) {
  if (high - low > 1e-7 * Math.max(Math.abs(low), Math.abs(high))) return [low, high];
  if (kind === "log") return [low / 2, high * 2];
  const room = (Math.abs(high) || 1) / 2;
  return [low - room, high + room];
}

// The axis of an observable from `low` at `from` to `high` at `to`.
function axisOf(kind, low, high, from, to, floor) {
  [low, high] = opened(low, high, kind);
  const of = transformOf(kind, floor), start = of(low), end = of(high);
  const place = (x) => from + ((of(x) - start) / (end - start)) * (to - from);
  const { ticks, power } = ticksOf(kind, low, high, floor);
  return { kind, low, high, place, power, ticks: spaced(ticks, place, extentOf(isAcross(from, to))) };
}

// The indices of a parameter's values, the smallest value first.
const ascending = (dimension) => dimension.places.map((_, i) => i).sort((a, b) => dimension.places[a] - dimension.places[b]);

// The axis of a parameter: places and cells of its values, whose edges lie half-way between.
function axisOfDimension(dimension, from, to) {
  const of = transformOf(dimension.log ? "log" : "linear"), order = ascending(dimension);
  const centres = order.map((i) => of(dimension.places[i])), last = centres.length - 1;
  const alone = (Math.abs(centres[0]) || 1) / 2;
  const start = centres[0] - (last ? (centres[1] - centres[0]) / 2 : alone), end = centres[last] + (last ? (centres[last] - centres[last - 1]) / 2 : alone);
  const at = (u) => from + ((u - start) / (end - start || 1)) * (to - from);
  const place = (x) => at(of(x));
  const edges = [from, ...centres.slice(1).map((u, i) => at((u + centres[i]) / 2)), to];
  const low = dimension.places[order[0]], high = dimension.places[order[last]];
  let found = dimension.words ? { ticks: order.map((i) => ({ at: dimension.places[i], words: dimension.words[i] })), power: 0 } : null;
  if (!found && last) found = ticksOf(dimension.log ? "log" : "linear", low, high);
  if (!found) found = { ticks: [{ at: low, words: written(low, 4) }], power: 0 };
  return { place, edges, order, centres: centres.map(at), power: found.power, ticks: spaced(found.ticks, place, extentOf(isAcross(from, to))) };
}

// The name of what an axis shows, with its unit, and with the power of ten that its ticks leave out.
function titleOf(name, unit, power) {
  const unitWords = power ? withUnit(tenTo(power), unit) : unit;
  return unitWords ? `${name} (${unitWords})` : name;
}
