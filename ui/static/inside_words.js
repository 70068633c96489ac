// Words: the tokens of the prompt, the words that stand nearest to each, and which of them the text encoders made alike.
import { findAll, make } from "./dom.js";
import { choice, telling } from "./inside_parts.js";
import { tokenSections } from "./token_view.js";

/** @typedef {import("./messages.d.ts").WordsFound} Words */
/** @typedef {import("./messages.d.ts").TokenView} TokenView */

const bar = (text, share, said, act) => {
  const made = make(act ? "button" : "div", { className: "inside-bar", ...(act && { type: "button" }) }, make("span", { textContent: text }), make("i", { style: `--share: ${Math.max(0, share)}` }), make("span", { textContent: said }));
  if (act) made.addEventListener("click", act);
  return made;
};

// Has the words in their boxes of tokens pressed, where all are there in their order; a prompt that changes from step to step may show others.
const pressed = (boxes, texts, choose) => {
  const left = [...texts.entries()];
  const found = boxes.filter((box) => {
    if (!left.length || box.textContent.replace(/^.*?([\p{L}\p{N}].*)$/u, "$1") !== left[0][1].toLowerCase()) return false;
    box.dataset.word = String(left.shift()[0]);
    return true;
  });
  if (left.length) return (found.forEach((box) => delete box.dataset.word), false);
  for (const box of found) {
    Object.assign(box, { tabIndex: 0, role: "button" });
    box.onclick = () => choose(Number(box.dataset.word));
    box.onkeydown = ({ key }) => key === "Enter" && choose(Number(box.dataset.word));
  }
  return true;
};

/** @type {import("./inside_page.js").Panel} */
export const words = {
  name: "words",
  title: "Words",
  head: "What becomes of your words",
  says: "The model does not read letters: it reads tokens, each a point among the points of all that it knows, and then what the text encoder makes of them together. Choose a word to see which others stand nearest to it, and which words of your prompt it has become alike.",
  show({ body, picture, look }) {
    const tokens = make("div", { className: "token-chunks inside-tokens" });
    const chips = make("div", { className: "inside-words", role: "group", "aria-label": "Words" });
    const ways = make("div", { className: "inside-ways" });
    const near = make("div", { className: "inside-spot" });
    const alike = make("div", { className: "inside-spot" });
    const columns = make("div", { className: "inside-columns" }, near, alike);
    tokens.append(...tokenSections(/** @type {TokenView} */ (picture.tokens)));
    body.append(tokens, chips, ways, columns);
    let chosen = -1;
    let at = 0; // the encoder that is seen
    look("words", ({ found }) => {
      const told = /** @type {Words} */ (found);
      if (chosen < 0) chosen = telling(told.words);
      const draw = () => {
        const encoder = told.encoders[at];
        const { near: others, alike: row } = encoder.words[chosen];
        const title = (words) => make("h3", { textContent: words });
        near.replaceChildren(title(`Nearest to “${told.words[chosen]}” of ${encoder.vocabulary.toLocaleString("en")}`), ...others.map(({ text, likeness }) => bar(text, likeness, likeness.toFixed(2))), others.length ? "" : make("p", { className: "inside-note", textContent: "It stands in no list: an embedding of your own speaks for it." }));
        const order = row.map((likeness, index) => ({ likeness, index })).filter(({ index }) => index !== chosen).sort((one, other) => other.likeness - one.likeness);
        alike.replaceChildren(title("Alike after reading"), ...order.slice(0, 10).map(({ likeness, index }) => bar(told.words[index], likeness, likeness.toFixed(2), () => choose(index))), order.length ? "" : make("p", { className: "inside-note", textContent: "There is no other word." }));
        for (const button of findAll("[data-word]", body)) button.setAttribute("aria-pressed", String(Number(button.dataset.word) === chosen));
      };
      const choose = (index) => ((chosen = index), draw());
      if (!pressed(findAll(".token-word", tokens), told.words, choose))
        chips.replaceChildren(...told.words.map((text, index) => {
          const button = make("button", { type: "button", textContent: text, "data-word": String(index) });
          button.addEventListener("click", () => choose(index));
          return button;
        }));
      const named = told.encoders.map(({ name, layers, width }, index) => [index, `${name}: ${layers} layers, ${width} wide`]);
      ways.replaceChildren(named.length > 1 ? choice("Text encoder", named, at, (index) => ((at = index), draw())) : make("p", { className: "inside-note", textContent: named[0][1] }));
      draw();
    });
  },
};
