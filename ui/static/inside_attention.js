// Attention: where on the picture the model looked at which word. Words are chosen to be seen; a press on the picture tells which words look there.
import { make } from "./dom.js";
import { choice, slider, telling } from "./inside_parts.js";

/** @typedef {import("./messages.d.ts").RunFound} Run */

const MOST = 6; // words that are told of a spot
export const RUN = "Draw it once more and watch";

// Colours of heat, from nothing to the most: clear, ember, flame, light.
const STOPS = [[34, 12, 60, 0], [120, 28, 109, 120], [217, 70, 48, 180], [252, 165, 56, 215], [255, 245, 190, 235]];
const colour = (share) => {
  const place = Math.min(Math.max(share, 0), 1) * (STOPS.length - 1);
  const low = Math.min(STOPS.length - 2, Math.floor(place));
  return STOPS[low].map((part, index) => part + (STOPS[low + 1][index] - part) * (place - low));
};
const percent = (share) => (share >= 0.1 ? `${Math.round(100 * share)} %` : `${(100 * share).toFixed(share >= 0.01 ? 1 : 2)} %`);

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

// Laid over the picture as it stands in its frame. `size`: of the picture.
const fitted = (canvas, frame, { width, height }) => {
  const room = frame.getBoundingClientRect();
  const scale = Math.min(room.width / width, room.height / height);
  Object.assign(canvas.style, { width: `${width * scale}px`, height: `${height * scale}px`, left: `${(room.width - width * scale) / 2}px`, top: `${(room.height - height * scale) / 2}px` });
};

/** @type {import("./inside_page.js").Panel} */
export const attention = {
  name: "attention",
  title: "Attention",
  head: "Where it looked at each word",
  says: "While it draws, every place of the picture looks at the words and takes from some more than from others. Choose a word to see where it was looked at, or press on the picture to see which words are looked at there.",
  show({ body, foot, stage, picture, file, look }) {
    const canvas = stage.over;
    const chips = make("div", { className: "inside-words", role: "group", "aria-label": "Words" });
    const spot = make("div", { className: "inside-spot", hidden: true });
    const note = make("p", { className: "inside-note" });
    const ways = make("div", { className: "inside-ways" });
    body.append(chips, ways, spot, note);
    /** @type {Run | null} */
    let run = null;
    let chosen = -1;
    let layers = "";
    let stretch = "all";
    let maps = null; // of the layers and steps that are seen: { key, values, width, height }
    let at = null; // the spot that was pressed, in shares of the picture

    const load = async () => {
      const name = `heat-${layers}-${stretch}.f32`;
      const key = run.done ? name : `${name}?${Math.random()}`;
      if (maps?.key === key) return maps;
      const answer = await fetch(file("run", key)).catch(() => null);
      const size = run.layers.find((each) => each.key === layers);
      if (!answer?.ok || !size) return null;
      return { key, values: new Float32Array(await answer.arrayBuffer()), width: size.width, height: size.height };
    };
    const row = (word) => maps.values.subarray(word * maps.width * maps.height, (word + 1) * maps.width * maps.height);
    const paint = () => {
      canvas.hidden = chosen < 0 || !maps;
      if (canvas.hidden) return;
      const heat = row(chosen);
      const most = Math.max(...heat);
      const least = Math.min(...heat);
      const [width, height] = [maps.width * SOFT, maps.height * SOFT];
      Object.assign(canvas, { width, height });
      const context = canvas.getContext("2d");
      const pixels = context.createImageData(width, height);
      softened(heat, maps.width, maps.height).forEach((share, index) => pixels.data.set(colour((share - least) / Math.max(most - least, 1e-12)), 4 * index));
      context.putImageData(pixels, 0, 0);
      fitted(canvas, canvas.parentElement, picture);
      stage.say(`“${run.words[chosen].text}”: ${percent(heat.reduce((sum, share) => sum + share, 0) / heat.length)} of all looks, at most ${percent(most)} in one place`);
    };
    const tellSpot = () => {
      spot.hidden = !at || !maps;
      if (spot.hidden) return;
      const place = Math.min(maps.height - 1, Math.floor(at[1] * maps.height)) * maps.width + Math.min(maps.width - 1, Math.floor(at[0] * maps.width));
      const told = run.words.map((word, index) => ({ word, index, share: row(index)[place] }));
      const plain = told.filter(({ word }) => word.plain).sort((one, other) => other.share - one.share).slice(0, MOST);
      const rest = told.filter(({ word }) => !word.plain).reduce((sum, { share }) => sum + share, 0);
      const most = plain[0]?.share || 1;
      const bar = ({ word, index, share }) => {
        const button = make("button", { type: "button", className: "inside-bar" }, make("span", { textContent: word.text }), make("i", { style: `--share: ${share / most}` }), make("span", { textContent: percent(share) }));
        button.addEventListener("click", () => choose(index));
        return button;
      };
      spot.replaceChildren(make("h3", { textContent: "Looked at from this spot" }), ...plain.map(bar), make("p", { className: "inside-note", textContent: `${percent(rest)} goes to no word: to marks, and to the tokens that begin, end and fill the prompt.` }));
    };
    const draw = async () => {
      const mine = `${layers} ${stretch} ${chosen}`;
      const loaded = await load();
      if (loaded) maps = loaded;
      if (mine !== `${layers} ${stretch} ${chosen}` || !canvas.isConnected || !chips.isConnected) return;
      paint();
      tellSpot();
    };
    const choose = (index) => {
      chosen = index;
      for (const button of chips.children) button.setAttribute("aria-pressed", String(Number(button.dataset.word) === index));
      draw();
    };
    const word = (each, index) => {
      const button = make("button", { type: "button", "aria-pressed": String(index === chosen), "data-word": String(index), title: `${percent(each.share)} of all looks` }, each.text);
      button.addEventListener("click", () => choose(index));
      return button;
    };
    const press = (event) => {
      const { left, top, width, height } = canvas.getBoundingClientRect();
      at = [(event.clientX - left) / width, (event.clientY - top) / height];
      tellSpot();
    };
    canvas.onpointerdown = press;
    canvas.onpointermove = (event) => event.buttons && press(event);
    new ResizeObserver(() => !canvas.hidden && fitted(canvas, canvas.parentElement, picture)).observe(canvas.parentElement);

    const settle = () => {
      chips.replaceChildren(...run.words.flatMap((each, index) => (each.plain ? [word(each, index)] : [])), ...run.words.flatMap((each, index) => (each.plain ? [] : [Object.assign(word(each, index), { className: "inside-mark" })])));
      if (chosen < 0) chosen = telling(run.words.map(({ text, plain }) => (plain ? text : "")));
      choose(chosen);
    };
    let words = 0;
    look("run", ({ found, step, steps }) => {
      run = /** @type {Run} */ (found);
      layers ||= run.clearest;
      if (run.words.length !== words) settle();
      words = run.words.length;
      if (!run.done) {
        note.textContent = `Drawn as you look: what was seen up to step ${step} of ${steps}.`;
        return draw();
      }
      note.textContent = run.same;
      ways.replaceChildren(make("span", { textContent: "Layers" }), choice("Layers", run.layers.map(({ key, title }) => [key, title]), layers, (key) => ((layers = key), draw())));
      foot.replaceChildren(slider("Steps", run.stretches.length, (place) => (place ? run.stretches[place - 1] : "All"), (place) => ((stretch = place ? String(place - 1) : "all"), draw())).root);
      draw();
    }, RUN);
  },
};
