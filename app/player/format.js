// Numbers, times and places as a person reads them, and round numbers along an axis.

function formatTime(value, largest) {
  return value.toFixed(largest < 100 ? 2 : 1);
}

function formatValue(value, digits = 3) {
  if (Number.isNaN(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size < 1e-3 || size >= 1e4 ? value.toExponential(Math.max(0, digits - 2)) : value.toPrecision(digits);
  return text.replace("-", "−");
}

// A number with as many digits, four at most, as it has in steps of `step`.
function formatRounded(value, step) {
  if (Number.isNaN(value) || Math.abs(value) < step / 2) return formatValue(Number.isNaN(value) ? value : 0);
  const digits = 1 + Math.floor(Math.log10(Math.abs(value))) - Math.floor(Math.log10(step));
  return formatValue(value, clamp(digits, 1, 4));
}

// A number of three digits without zeros at its end.
function formatShort(value) {
  return String(Number(value.toPrecision(3))).replaceAll("-", "−");
}

// A number that was typed, with a comma or a true minus sign; NaN for anything else.
function parseValue(text) {
  const plain = text.trim().replaceAll("−", "-").replace(",", ".");
  return plain === "" ? NaN : Number(plain);
}

const ROUND = [1, 2, 5, 10];
const ROUND_DEGREES = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 90];

// At most `most` + 1 round numbers between two ends.
function ticksBetween(low, high, most, onEarth) {
  const span = high - low;
  const power = 10 ** Math.floor(Math.log10(span / most));
  const steps = onEarth ? ROUND_DEGREES : ROUND.map((factor) => factor * power);
  const step = steps.find((each) => span / each <= most) ?? steps.at(-1);
  const ticks = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + 1e-9 * span; index++) {
    ticks.push(Number((index * step).toPrecision(9)));
  }
  return ticks;
}

function tickName(value, axis, onEarth) {
  if (!onEarth) return String(value).replace("-", "−");
  if (axis === "y") return `${Math.abs(value)}°${value > 0 ? "N" : value < 0 ? "S" : ""}`;
  const wrapped = ((((value + 180) % 360) + 360) % 360) - 180;
  if (wrapped === -180 || wrapped === 0) return `${Math.abs(wrapped)}°`;
  return `${Math.abs(Number(wrapped.toFixed(6)))}°${wrapped > 0 ? "E" : "W"}`;
}
