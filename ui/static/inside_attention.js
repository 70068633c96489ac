// Attention: where on the picture the model looked at which word. Words are chosen to be seen; a press on the picture tells which words look there.
import { emit, make } from "./dom.js";
import { fitted, paintHeat, percent } from "./inside_heat.js";
import { choice, slider, telling } from "./inside_parts.js";
import * as page from "./page.js";

/** @typedef {import("./messages.d.ts").RunFound} Run */

const MOST = 6; // words that are told of a spot
export const RUN = "Draw it once more and watch";

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
    const live = make("button", { type: "button", className: "quiet", title: "Heat over each picture of yours as it forms; it comes out the same" });
    const tellLive = () => {
      live.textContent = page.open.heat ? "Shown while pictures are drawn" : "Show it while pictures are drawn";
      live.setAttribute("aria-pressed", String(page.open.heat));
    };
    live.addEventListener("click", () => (emit("heat", undefined), tellLive()));
    tellLive();
    body.append(chips, ways, spot, note, live);
    /** @type {Run | null} */
    let run = null;
    let chosen = -1;
    let layers = "";
    let heads = "";
    let stretch = "all";
    let maps = null; // of the layers and steps that are seen: { key, values, width, height }
    let at = null; // the spot that was pressed, in shares of the picture

    const load = async () => {
      const name = `heat-${layers}${heads}-${stretch}.f32`;
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
      paintHeat(canvas, [heat], maps.width, maps.height);
      fitted(canvas, canvas.parentElement, picture);
      stage.say(`“${run.words[chosen].text}”: ${percent(heat.reduce((sum, share) => sum + share, 0) / heat.length)} of all looks, at most ${percent(Math.max(...heat))} in one place`);
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
      const mine = `${layers} ${heads} ${stretch} ${chosen}`;
      const loaded = await load();
      if (loaded) maps = loaded;
      if (mine !== `${layers} ${heads} ${stretch} ${chosen}` || !canvas.isConnected || !chips.isConnected) return;
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
      if (run.heads.length > 1) ways.append(make("span", { textContent: "Heads" }), choice("Heads", run.heads.map(({ key, title }) => [key, title]), heads, (key) => ((heads = key), draw())));
      foot.replaceChildren(slider("Steps", run.stretches.length, (place) => (place ? run.stretches[place - 1] : "All"), (place) => ((stretch = place ? String(place - 1) : "all"), draw())).root);
      draw();
    }, RUN);
  },
};
