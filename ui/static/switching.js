// Ctrl+/ in a prompt: a phrase is switched off without being lost, ~~so~~, and on again. Pure text in, text out.
import { readPrompt } from "./prompt_grammar.js";
import { trim, uncut } from "./weights.js";

const SIGN = "~~";
const EDGE = /[,\n]/;
const OPTION = /[,\n:|]/; // in square brackets

const without = (text, { start, end }, from, to) => {
  const inner = text.slice(start + SIGN.length, end - SIGN.length);
  const back = (at) => Math.max(start, Math.min(at - SIGN.length, start + inner.length));
  return { text: text.slice(0, start) + inner + text.slice(end), start: back(from), end: back(to) };
};

// From comma to comma around the cursor, within the brackets in which it stands.
const phrase = (text, { tags, silent, groups }, at) => {
  const around = groups.find((group) => group.start < at && at <= group.from);
  const [first, last] = around ? [around.start + 1, around.from] : [0, text.length];
  const edge = around?.bracket === "[" ? OPTION : EDGE;
  const inner = [...tags, ...silent, ...groups].filter((part) => first <= part.start && part.end <= last);
  const cuts = (place) => edge.test(text[place]) && text[place - 1] !== "\\" && !inner.some((part) => part.start <= place && place < part.end);
  let [start, end] = [at, at];
  while (start > first && !cuts(start - 1)) start -= 1;
  while (end < last && !cuts(end)) end += 1;
  return trim(text, start, end);
};

const isOff = (text, start, end) => readPrompt(text).silent.some((part) => part.off && part.start === start && part.end === end);

/**
 * The prompt with the selected words, or the phrase at the cursor, switched off or on again, and what to select next.
 * @type {(text: string, from: number, to: number) => { text: string, start: number, end: number }}
 */
export const switched = (text, from, to) => {
  const read = readPrompt(text);
  const around = read.silent.find((part) => part.start <= from && to <= part.end);
  if (around?.off) return without(text, around, from, to);
  if (around) return { text, start: from, end: to };
  const [start, end] = from === to ? phrase(text, read, from) : uncut(text, read, ...trim(text, from, to));
  const words = text.slice(start, end).replaceAll(SIGN, "");
  const next = text.slice(0, start) + SIGN + words + SIGN + text.slice(end);
  if (!words.trim() || !isOff(next, start, start + words.length + 2 * SIGN.length)) return { text, start: from, end: to };
  const selected = from === to ? [from + SIGN.length, to + SIGN.length] : [start + SIGN.length, start + SIGN.length + words.length];
  return { text: next, start: selected[0], end: selected[1] };
};
