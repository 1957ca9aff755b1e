"use strict";
// Numbers as a person writes them: a true minus sign, and powers of ten with raised digits.

const RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

const withMinus = (text) => text.replace("-", "−");
const tenTo = (power) => `10${[...String(power)].map((digit) => RAISED[digit]).join("")}`;
const withUnit = (text, unit) => (unit ? `${text} ${unit}` : text);

function timesTenTo(mantissa, power) {
  if (Math.abs(mantissa) !== 1) return `${mantissa}·${tenTo(power)}`;
  return mantissa < 0 ? `-${tenTo(power)}` : tenTo(power);
}

function written(value, digits = 6) {
  if (value === null) return "none";
  const [mantissa, power] = value.toExponential(digits - 1).split("e").map(Number);
  const isPlain = value === 0 || (power >= -4 && power < 6);
  return withMinus(isPlain ? String(Number(value.toPrecision(digits))) : timesTenTo(mantissa, power));
}
