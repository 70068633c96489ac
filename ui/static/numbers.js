// What somebody has typed into a field for numbers, as the number that it then holds: within its limits, and the former one where
// there is nothing or no number, such as "-", "1e" or letters. What was typed is never taken for 0 in silence.
(() => {
  const tidy = (number) => Number(number.toFixed(6));

  // `limit`: {low, high, step, snap}, without limits where they are missing. `former`: what the field held before.
  atelier.typedNumber = (input, former, { low = -Infinity, high = Infinity, step = 1, snap = false } = {}) => {
    const typed = input.value.trim();
    const number = Number(typed);
    if (typed === "" || input.validity?.badInput || !Number.isFinite(number)) return former;
    const within = Math.min(high, Math.max(low, number));
    return tidy(snap ? Math.round(within / step) * step : within);
  };
})();
