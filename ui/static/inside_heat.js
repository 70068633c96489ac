// Heat as a picture: how much each place looks at a word, from the least to the most, in colours laid over what is drawn.

// From nothing to the most: clear, ember, flame, light.
const STOPS = [[34, 12, 60, 0], [120, 28, 109, 120], [217, 70, 48, 180], [252, 165, 56, 215], [255, 245, 190, 235]];
const colour = (share) => {
  const place = Math.min(Math.max(share, 0), 1) * (STOPS.length - 1);
  const low = Math.min(STOPS.length - 2, Math.floor(place));
  return STOPS[low].map((part, index) => part + (STOPS[low + 1][index] - part) * (place - low));
};
export const percent = (share) => (share >= 0.1 ? `${Math.round(100 * share)} %` : `${(100 * share).toFixed(share >= 0.01 ? 1 : 2)} %`);

// A map with more places, by cubic B-splines: soft, nowhere beyond its values (each is a mean of its neighbours).
const SOFT = 8; // times as many along a side, of a small one
const spline = (values, count, step, lines, jump, times) => {
  const made = new Float32Array(values.length * times);
  for (let line = 0; line < lines; line += 1)
    for (let place = 0; place < count * times; place += 1) {
      const at = (place + 0.5) / times - 0.5;
      const low = Math.floor(at);
      const share = at - low;
      const weights = [(1 - share) ** 3, 3 * share ** 3 - 6 * share ** 2 + 4, -3 * share ** 3 + 3 * share ** 2 + 3 * share + 1, share ** 3];
      let sum = 0;
      for (let near = 0; near < 4; near += 1) sum += weights[near] * values[line * jump + Math.min(Math.max(low + near - 1, 0), count - 1) * step];
      made[step === 1 ? line * count * times + place : place * lines + line] = sum / 6;
    }
  return made;
};
export const softened = (values, width, height, times = SOFT) => {
  const wide = spline(values, width, 1, height, width, times);
  return spline(wide, height, width * times, width * times, 1, times);
};

// Paints maps of one size onto a canvas, in so many columns. Each goes from its own least to its own most.
export const paintHeat = (canvas, maps, width, height, columns = 1) => {
  const [wide, high] = [width * SOFT, height * SOFT];
  Object.assign(canvas, { width: wide * columns, height: high * Math.ceil(maps.length / columns) });
  const context = canvas.getContext("2d");
  maps.forEach((heat, place) => {
    const [least, most] = [Math.min(...heat), Math.max(...heat)];
    const pixels = context.createImageData(wide, high);
    softened(heat, width, height).forEach((share, index) => pixels.data.set(colour((share - least) / Math.max(most - least, 1e-12)), 4 * index));
    context.putImageData(pixels, (place % columns) * wide, Math.floor(place / columns) * high);
  });
};

// Laid over a picture as it stands in its frame, `inset` pixels from its edges. `size`: of the picture.
export const fitted = (canvas, frame, { width, height }, inset = 0) => {
  const [wide, high] = [frame.clientWidth - 2 * inset, frame.clientHeight - 2 * inset];
  const scale = Math.min(wide / width, high / height);
  Object.assign(canvas.style, {
    width: `${width * scale}px`,
    height: `${height * scale}px`,
    left: `${inset + (wide - width * scale) / 2}px`,
    top: `${inset + (high - height * scale) / 2}px`,
  });
};
