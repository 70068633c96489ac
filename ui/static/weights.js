// Ctrl+Up and Ctrl+Down in a prompt: one step of the number at the cursor, in A1111's notation. Pure text in, text out.
import { tables } from "./grammar_tables.js";
import { readPrompt } from "./prompt_grammar.js";

const { stronger, weaker, weight: WEIGHT, strength: STRENGTH, breaks } = tables;
const DELIMITER = /[.,\\/!?%^*;:{}=\x60~()[\]<>|\s]/;

// Decimal numbers, exactly, as whole numbers of the smallest decimal. 0.8 + 0.05 is 0.85.
const DECIMALS = 30;
const sized = (text) => {
  const plain = /e/i.test(text) ? Math.max(-100, Math.min(100, Number(text))).toFixed(6) : text;
  const [whole, fraction = ""] = plain.replace(/^[+-]/, "").split(".");
  const size = BigInt(whole + fraction.slice(0, DECIMALS).padEnd(DECIMALS, "0"));
  return plain[0] === "-" ? -size : size;
};
const written = (size) => {
  const digits = String(size < 0n ? -size : size).padStart(DECIMALS + 1, "0");
  const fraction = digits.slice(-DECIMALS).replace(/0+$/, "");
  return `${size < 0n ? "-" : ""}${digits.slice(0, -DECIMALS)}.${fraction || "0"}`;
};
// The next number, as text; null at the end of what has an effect.
const stepped = (text, { step, most }, direction) => {
  const end = sized(String(most));
  const within = (size) => (size > end ? end : size < -end ? -end : size);
  const now = within(sized(text));
  const next = within(now + BigInt(direction) * sized(step));
  return next === now ? null : written(next);
};

const escaped = (text, at) => {
  let slashes = 0;
  while (text[at - 1 - slashes] === "\\") slashes += 1;
  return slashes % 2 === 1;
};
const word = (text, at) => {
  let [start, end] = [at, at];
  while (start > 0 && !DELIMITER.test(text[start - 1])) start -= 1;
  while (end < text.length && !DELIMITER.test(text[end])) end += 1;
  return [start, end];
};
/** @returns {[number, number]} */
export const trim = (text, start, end) => {
  while (start < end && /\s/.test(text[start])) start += 1;
  while (end > start && /\s/.test(text[end - 1])) end -= 1;
  return [start, end];
};

// [a:b:0.5] and [a|b] are a schedule and an alternation, not a weight.
const isWeight = (text, group) => group.whole && (group.bracket === "(" || !/[:|]/.test(text.slice(group.start + 1, group.from)));

// The places of a selection that lie directly in the brackets of a schedule or an alternation: what stands there keeps its place.
const parts = ({ groups }, start, end) => {
  const around = groups.find((group) => group.start < start && end <= group.from);
  if (around?.bracket !== "[") return [];
  const inner = groups.filter((group) => start <= group.start && group.end <= end);
  return Array.from({ length: end - start }, (_, at) => start + at).filter((at) => !inner.some((group) => group.start <= at && at < group.end));
};

// The tag or group whose number the selection means: it lies in a tag or in a weight, or is the content or the whole of a group.
const selected = (text, { tags, groups }, start, end) => {
  const is = ([from, to]) => start === from && end === to;
  const means = ({ weight, ...group }) =>
    (weight && weight.start <= start && end <= weight.end) ||
    [group.from, group.end - 1].some((to) => is([group.start + 1, to]) || is(trim(text, group.start + 1, to))) ||
    is([group.start, group.end]);
  return tags.find((tag) => tag.start <= start && end <= tag.end) ?? groups.find(means);
};
// With nothing selected: the innermost around the cursor.
const around = ({ tags, groups }, at) => [...tags, ...groups].find((part) => part.start < at && at < part.end);
// With no word at the cursor either: one that it touches.
const beside = ({ tags, groups }, at) => [...tags, ...[...groups].reverse()].find((part) => part.end === at || part.start === at);

// A selection cuts no group, tag or escape in two, and nothing that is not said.
export const uncut = (text, { tags, silent, groups }, start, end) => {
  for (;;) {
    if (escaped(text, start)) start -= 1;
    if (escaped(text, end) && /[()[\]\\]/.test(text[end] ?? "")) end += 1;
    const holds = (part) => start <= part.start && part.end <= end;
    const isIn = (part) => part.start < start && end <= (part.from ?? part.end - 1);
    const cut = [...tags, ...silent, ...groups].find((part) => part.start < end && start < part.end && !holds(part) && !isIn(part));
    if (!cut) return [start, end];
    [start, end] = [Math.min(start, cut.start), Math.max(end, cut.end)];
  }
};

const spliced = (text, from, to, before, content, after) => ({
  text: text.slice(0, from) + before + content + after + text.slice(to),
  start: from + before.length,
  end: from + before.length + content.length,
});

// Another number in the place of one; cursor and selection stay on what they were on.
const renumbered = (text, { start, end }, value, selection) => {
  const moved = (at) => (at >= end ? at + value.length - (end - start) : Math.min(at, start + value.length));
  const [from, to] = selection.map((at) => (at <= start ? at : moved(at)));
  return { text: text.slice(0, start) + value + text.slice(end), start: from, end: to, grown: 0 };
};

const tagged = (text, tag, direction, selection) => {
  if (!tag.numbers) return [];
  const chosen = tag.numbers.find((number) => number.start <= selection[0] && selection[1] <= number.end);
  const number = chosen ?? tag.numbers[tag.numbers.length - 1];
  const value = stepped(number?.text ?? "1", STRENGTH, direction);
  if (value === null) return [];
  const end = tag.name.end;
  return [number ? renumbered(text, number, value, selection) : renumbered(text, { start: end, end }, `:${value}`, selection)];
};

// The words with a weight, in place of text[from .. to]; at 1 first without brackets, if the other key then brings them back.
const bracketed = (text, from, to, words, value, grown) => {
  const numbered = { ...spliced(text, from, to, "(", words, `:${value})`), grown, group: [from, from + words.length + value.length + 3] };
  return sized(value) === sized("1") ? [{ ...spliced(text, from, to, "", words, ""), grown: grown - 1, opened: numbered }, numbered] : [numbered];
};

// ((x)) and [[x]] count as 1.1 and 1/1.1 a bracket; the outer ones go when the weight becomes a number.
const chained = (groups, group) => {
  const next = (from, step) => groups.find((each) => !each.weight && each.whole && each.bracket === group.bracket && each.start === from.start - step && each.end === from.end + step);
  const chain = [group];
  for (let inner = next(group, -1); inner; inner = next(inner, -1)) chain.unshift(inner);
  for (let outer = next(group, 1); outer; outer = next(outer, 1)) chain.push(outer);
  return chain;
};

const weighed = (text, groups, group, direction, selection) => {
  const chain = group.weight ? [group] : chained(groups, group);
  const [inner, outer] = [chain[0], chain[chain.length - 1]];
  const within = groups.find((each) => each.weight && each.start === inner.start + 1 && each.end === inner.end - 1);
  if (within && !group.weight) return weighed(text, groups, within, direction, selection);
  const now = group.weight?.text ?? ((group.bracket === "(" ? stronger : weaker) ** chain.length).toFixed(2);
  const value = stepped(now, WEIGHT, direction);
  if (value === null) return [];
  if (group.weight && sized(value) !== sized("1")) return [renumbered(text, group.weight, value, selection)];
  return bracketed(text, outer.start, outer.end, text.slice(inner.start + 1, inner.from), value, 1 - chain.length);
};

/**
 * A prompt after a press, and what is selected in it. `grown`: pairs of brackets more than before; `group`: where the new ones are;
 * `opened`: the same with brackets.
 * @typedef {{ text: string, start: number, end: number, grown: number, group?: number[], opened?: Outcome }} Outcome
 */

/** What may come of it, the best first. @returns {Outcome[]} */
const outcomes = (text, read, from, to, direction, exactly) => {
  const groups = read.groups.filter((group) => isWeight(text, group));
  const weighing = { tags: read.tags, groups };
  const change = (part, selection) => (part.bracket ? weighed(text, groups, part, direction, selection) : tagged(text, part, direction, selection));
  let [start, end] = from === to || exactly ? [from, to] : trim(text, from, to);
  if (read.silent.some((part) => part.start < start && end < part.end)) return [];
  let found = start === end ? around(weighing, start) : selected(text, weighing, start, end);
  if (found) return change(found, [start, end]);
  if (start === end) [start, end] = word(text, start);
  if (start === end) return (found = beside(weighing, start)) ? change(found, [start, end]) : [];
  [start, end] = uncut(text, read, start, end);
  if ((found = selected(text, weighing, start, end))) return change(found, [start, end]);
  const words = text.slice(start, end);
  if (parts(read, start, end).some((sign) => /[:|]/.test(text[sign]))) return [];
  return words.trim() && words.trim() !== breaks ? bracketed(text, start, end, words, stepped("1", WEIGHT, direction), 1) : [];
};

// Whether the text says what it said, in as many brackets as it should, the new ones where they were meant to be.
/** @type {(before: any, outcome: Outcome) => boolean} */
const isAsMeant = (before, { text, grown, group }) => {
  const after = readPrompt(text);
  const kept = after.said === before.said && after.breaks === before.breaks && after.tags.length === before.tags.length;
  const there = !group || after.groups.some((each) => each.start === group[0] && each.end === group[1]);
  return kept && there && after.groups.length === before.groups.length + grown;
};
/** @type {(outcome: Outcome, direction: number) => boolean} */
const comesBack = ({ text, start, end, opened }, direction) => {
  if (!opened) return true;
  const back = outcomes(text, readPrompt(text), start, end, -direction, true)[0];
  return back?.group?.[0] === opened.group[0] && back.start === opened.start && back.end === opened.end;
};

// The prompt with the weight at the selection moved one step up (direction 1) or down (-1), and what to select next. `exactly`: the
// selection is what the last press left. What would be read otherwise than meant is not done.
export const reweigh = (text, from, to, direction, exactly = false) => {
  const read = readPrompt(text);
  const found = outcomes(text, read, from, to, direction, exactly).find((next) => isAsMeant(read, next) && comesBack(next, direction));
  return found ? { text: found.text, start: found.start, end: found.end } : { text, start: from, end: to };
};
