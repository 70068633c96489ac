// Numbers: within limits, and as somebody has typed them.

export const limit = (value, least, most) => Math.min(most, Math.max(least, value));

const tidy = (number) => Number(number.toFixed(6));

// What somebody has typed into a field for numbers, as the number that it then holds: within its limits, and the former one where
// there is nothing or no number, such as "-", "1e" or letters. What was typed is never taken for 0 in silence.
// Limits are {low, high, step, snap}, where there are any. `former`: what the field held before.
export const typedNumber = (input, former, { low = -Infinity, high = Infinity, step = 1, snap = false } = {}) => {
  const typed = input.value.trim();
  const number = Number(typed);
  if (typed === "" || input.validity?.badInput || !Number.isFinite(number)) return former;
  const within = limit(number, low, high);
  return tidy(snap ? Math.round(within / step) * step : within);
};
