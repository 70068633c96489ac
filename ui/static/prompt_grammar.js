// Where tags and weights stand in a prompt, for the keys that weigh. The patterns are the server's own (grammar_tables.js,
// which the server writes from pipelines/prompts/grammar.py); a test compares both readings. Pure text in, places out.
import { tables } from "./grammar_tables.js";

const { token, tag, unsaid, number, breaks } = tables;
const TOKEN = new RegExp(token, "gu");
const TAG = new RegExp(`^${tag}$`, "iu");
const UNSAID = new RegExp(unsaid, "giu");
const NUMBER = new RegExp(`^${number}$`, "u");
const BREAK = new RegExp(`(?<![\\p{L}\\p{N}\\p{M}_])${breaks}(?![\\p{L}\\p{N}\\p{M}_])`, "gu");

// The colon-separated parts behind the kind of a tag, each with its place.
const partsOf = (content, start) => {
  let at = start;
  return content.split(":").map((text) => {
    const found = { text, start: at, end: at + text.length };
    at = found.end + 1;
    return found;
  });
};

// A number and its place; null where there is none to read.
const numberIn = ({ text, start }) => {
  const found = text.match(NUMBER);
  if (!found) return null;
  const from = start + text.indexOf(found[1]);
  return { text: found[1], start: from, end: from + found[1].length };
};

// The numbers of a tag that act, the one for the UNet last; null where one cannot be read.
const numbersOf = (kind, parts) => {
  const value = (part) => {
    const at = part.text.indexOf("=") + 1;
    return { text: part.text.slice(at), start: part.start + at };
  };
  const called = (name) => parts.filter((part) => part.text.includes("=") && part.text.split("=")[0].trim() === name).map(value).pop();
  const plain = parts.filter((part) => !part.text.includes("="));
  const words = called("te") ?? plain[0];
  const unet = called("unet") ?? plain[1];
  const numbers = [words, unet].filter(Boolean).map(numberIn);
  if (numbers.includes(null)) return null;
  return kind === "hypernet" ? numbers.slice(-1) : numbers;
};

const tagOf = (text, places) => {
  const found = places.map((place) => text[place]).join("").match(TAG);
  if (!found) return null;
  const [start, end] = [places[0], places[places.length - 1] + 1];
  const whole = end - start === places.length; // else there was another tag in its middle, and its numbers have no one place
  const [name, ...parts] = partsOf(found[2], start + 2 + found[1].length);
  return { start, end, name, numbers: whole ? numbersOf(found[1].toLowerCase(), parts) : null };
};

// What is not said: switched off, or a comment.
const silentIn = (text) =>
  [...text.matchAll(UNSAID)]
    .filter((found) => found[3] !== undefined || found[4] !== undefined)
    .map((found) => ({ start: found.index, end: found.index + found[0].length, off: found[3] !== undefined }));

// The places that belong to no tag and are said, and the tags; each takes a space before it along.
const splitTags = (text, silent) => {
  const kept = [];
  const tags = [];
  let opened = [];
  let next = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (at === silent[next]?.start) {
      at = silent[next].end - 1;
      next += 1;
      continue;
    }
    kept.push(at);
    if (text[at] === "<") opened.push(kept.length - 1);
    if (text[at] !== ">") continue;
    const found = opened.length ? tagOf(text, kept.slice(opened[opened.length - 1])) : null;
    if (!found) {
      opened = [];
      continue;
    }
    kept.length = opened.pop();
    if (kept.length && text[kept[kept.length - 1]] === " ") kept.pop();
    tags.push(found);
  }
  return { kept, tags };
};

// { tags, silent, groups, said, breaks }. Groups are pairs of brackets, inner ones first, each from its opening bracket (start) to what closes it
// (from .. end), perhaps with a weight. Said is all but tags, brackets and escapes, with so many BREAKs in it.
export const readPrompt = (text) => {
  const silent = silentIn(text);
  const { kept, tags } = splitTags(text, silent);
  const bare = kept.map((place) => text[place]).join("");
  const at = (place) => (place < kept.length ? kept[place] : text.length);
  const opened = { "(": [], "[": [] };
  const groups = [];
  let said = "";
  let broken = 0;
  const say = (words) => {
    said += words;
    broken += words.match(BREAK)?.length ?? 0;
  };
  const close = (bracket, from, to, weight) => {
    const open = opened[bracket].pop();
    const whole = at(to - 1) - at(from) === to - 1 - from; // else a tag stands in the middle of the weight
    groups.push({ bracket, start: at(open), from: at(from), end: at(to - 1) + 1, weight, whole });
  };
  for (const found of bare.matchAll(TOKEN)) {
    const [whole, digits] = found;
    const start = found.index;
    const end = start + whole.length;
    const last = whole[whole.length - 1];
    const weighs = digits !== undefined && Number.isFinite(Number(digits));
    if (whole[0] === "\\") say(whole.slice(1));
    else if (whole === "(" || whole === "[") opened[whole].push(start);
    else if (digits !== undefined && opened["("].length) {
      const from = start + whole.indexOf(digits);
      if (!weighs) say(whole.slice(0, -1));
      close("(", weighs ? start : end - 1, end, weighs ? { text: digits, start: at(from), end: at(from + digits.length - 1) + 1 } : null);
    } else if (last === ")" && opened["("].length) close("(", end - 1, end, null);
    else if (whole === "]" && opened["["].length) close("[", start, end, null);
    else say(whole);
  }
  return { tags, silent, groups, said, breaks: broken };
};
