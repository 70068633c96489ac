// What words look at while a picture forms: the heat of a word over the preview, at each step. The server looks only while this asks.
import { make, on, write } from "./dom.js";
import { askAlong } from "./feed.js";
import { fitted, paintHeat, percent } from "./inside_heat.js";

/** @typedef {import("./messages.d.ts").LiveHeat} Heat */

const INSET = 14; // pixels between the frame and the preview
const WAITS = "The next step shows it.";

const mapsOf = ({ heat, pictures, width, height }) => {
  const bytes = Uint8Array.from(atob(heat), (letter) => letter.charCodeAt(0));
  const values = new Float32Array(bytes.buffer);
  return Array.from({ length: pictures }, (_, place) => values.subarray(place * width * height, (place + 1) * width * height));
};

// `frame`: what the preview stands in; `under`: what is written stands here.
export const heatOver = (frame, preview, under) => {
  const canvas = make("canvas", { className: "heat", "aria-hidden": "true" });
  preview.after(canvas);
  const chips = make("div", { className: "inside-words", role: "group", "aria-label": "Words of the prompt" });
  const says = make("p", { className: "inside-note", role: "status" });
  const row = make("div", { className: "heat-row" }, chips, says);
  under.prepend(row);
  let isOn = false;
  /** @type {{ text: string, nth: number }} */
  let chosen = { text: "", nth: 0 };
  /** @type {Heat | null} */
  let told = null;

  const ask = () => askAlong(isOn ? `&heat=${encodeURIComponent(chosen.text)}&nth=${chosen.nth}` : "");
  const nth = (words, index) => words.slice(0, index).filter(({ text }) => text === words[index].text).length;
  const fit = () => preview.naturalWidth && fitted(canvas, frame, { width: preview.naturalWidth, height: preview.naturalHeight }, INSET);
  preview.addEventListener("load", fit);
  new ResizeObserver(fit).observe(frame);

  const choose = (index) => {
    chosen = { text: told.words[index].text, nth: nth(told.words, index) };
    mark(index);
    ask();
  };
  const mark = (index) => {
    for (const button of chips.children) button.setAttribute("aria-pressed", String(Number(button.dataset.word) === index));
  };
  const chip = ({ text }, index) => {
    const button = make("button", { type: "button", "data-word": String(index), textContent: text });
    button.addEventListener("click", () => choose(index));
    return button;
  };
  let listed = "";
  const list = ({ words, word }) => {
    const key = JSON.stringify(words.map(({ text, plain }) => [text, plain]));
    if (key !== listed) chips.replaceChildren(...words.flatMap((each, index) => (each.plain ? [chip(each, index)] : [])));
    listed = key;
    mark(word);
  };
  // What was asked for before another word was chosen is not shown as that one's.
  const isMeant = ({ words, word }) => !chosen.text || !words.some(({ text }) => text === chosen.text) || (words[word].text === chosen.text && nth(words, word) === chosen.nth);
  const show = (heat) => {
    told = heat;
    canvas.hidden = !heat?.pictures;
    if (!heat) return write(says, WAITS);
    if (heat.message) (chips.replaceChildren(), (listed = ""), write(says, heat.message));
    if (heat.message || !isMeant(heat)) return;
    list(heat);
    paintHeat(canvas, mapsOf(heat), heat.width, heat.height, heat.columns);
    fit();
    const { text, share } = heat.words[heat.word];
    write(says, `Step ${heat.step} of ${heat.steps}: “${text}” has ${percent(share)} of all looks`);
  };
  on("queue", ({ running, heat }) => {
    row.hidden = canvas.hidden = !isOn || !running;
    if (!row.hidden) show(heat ?? (told?.job === running.job ? told : null));
  });
  row.hidden = canvas.hidden = true;
  return {
    turn(wanted) {
      isOn = wanted;
      if (!isOn) row.hidden = canvas.hidden = true;
      ask();
    },
  };
};
