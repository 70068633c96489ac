// Ctrl+Up and Ctrl+Down in a prompt: the weight of what is selected, in A1111's notation. Pure text in, text out.
(() => {
  const PAIRS = { "(": ")", "[": "]", "<": ">" };
  const DELIMITER = /[.,\\/!?%^*;:{}=`~()[\]<>|\s]/;
  const escaped = (text, at) => {
    let slashes = 0;
    while (text[at - 1 - slashes] === "\\") slashes += 1;
    return slashes % 2 === 1;
  };

  // All bracket pairs as [open, close], inner ones first.
  const pairs = (text) => {
    const found = [];
    const open = [];
    for (let at = 0; at < text.length; at += 1) {
      if (escaped(text, at)) continue;
      if (text[at] in PAIRS) open.push(at);
      else if (open.length && PAIRS[text[open[open.length - 1]]] === text[at]) found.push([open.pop(), at]);
    }
    return found;
  };

  // [a:b:0.5] and [a|b] are a schedule and an alternation, not a weight.
  const isWeight = (text, [open, close]) => text[open] !== "[" || !/[:|]/.test(text.slice(open + 1, close));
  const number = (content) => content.match(/:\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*$/);

  const word = (text, at) => {
    let start = at;
    let end = at;
    while (start > 0 && !DELIMITER.test(text[start - 1])) start -= 1;
    while (end < text.length && !DELIMITER.test(text[end])) end += 1;
    return [start, end];
  };

  const trim = (text, start, end) => {
    while (start < end && /\s/.test(text[start])) start += 1;
    while (end > start && /\s/.test(text[end - 1])) end -= 1;
    return [start, end];
  };

  // The pair that the selection is the content of, or the whole of; with nothing selected, the innermost one around the cursor.
  const groupOf = (text, start, end) => {
    const groups = pairs(text).filter((pair) => isWeight(text, pair));
    if (start === end) return groups.find(([open, close]) => open < start && start <= close);
    return groups.find(([open, close]) => {
      const content = text.slice(open + 1, close);
      const weight = text[open] === "(" ? number(content) : null;
      const last = weight ? close - weight[0].length : close;
      return (start === open + 1 && (end === close || end === last)) || (start === open && end === close + 1);
    });
  };

  const written = (value) => {
    const rounded = Math.round(value * 100) / 100;
    return Number.isInteger(rounded) ? rounded.toFixed(1) : String(rounded);
  };

  const spliced = (text, from, to, before, content, after) => ({
    text: text.slice(0, from) + before + content + after + text.slice(to),
    start: from + before.length,
    end: from + before.length + content.length,
  });

  const network = (text, [open, close], direction) => {
    const content = text.slice(open + 1, close);
    const weight = content.split(":").length > 2 ? number(content) : null;
    const name = weight ? content.slice(0, weight.index) : content;
    const value = Math.max(0, (weight ? Number(weight[1]) : 1) + 0.05 * direction);
    return spliced(text, open, close + 1, "<", name, `:${written(value)}>`);
  };

  const weighed = (text, from, to, content, value) =>
    Math.abs(value - 1) < 0.005 ? spliced(text, from, to, "", content, "") : spliced(text, from, to, "(", content, `:${written(Math.max(0, value))})`);

  const innermost = (text, [open, close]) => {
    const inner = pairs(text).find(([from, to]) => from === open + 1 && to === close - 1 && text[from] === text[open]);
    return inner ? innermost(text, inner) : [open, close];
  };

  // ((x)) and [[x]] count as 1.1 and 1/1.1 a bracket; the outer ones go when the weight becomes a number.
  const bracketed = (text, pair, direction) => {
    const [open, close] = innermost(text, pair);
    const content = text.slice(open + 1, close);
    const weight = text[open] === "(" ? number(content) : null;
    if (weight) return weighed(text, open, close + 1, content.slice(0, weight.index), Number(weight[1]) + 0.1 * direction);
    let depth = 1;
    while (text[open - depth] === text[open] && text[close + depth] === text[close] && !escaped(text, open - depth)) depth += 1;
    const factor = text[open] === "(" ? 1.1 : 1 / 1.1;
    return weighed(text, open - depth + 1, close + depth, content, factor ** depth + 0.1 * direction);
  };

  // The prompt with the weight at the selection moved one step up (direction 1) or down (-1), and what to select next.
  atelier.reweigh = (text, from, to, direction) => {
    let [start, end] = from === to ? [from, to] : trim(text, from, to);
    const group = groupOf(text, start, end);
    if (group) return text[group[0]] === "<" ? network(text, group, direction) : bracketed(text, group, direction);
    if (start === end) [start, end] = word(text, start);
    if (start === end) return { text, start: from, end: to };
    return weighed(text, start, end, text.slice(start, end), 1 + 0.1 * direction);
  };
})();
