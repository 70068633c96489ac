// Likeness: how much of its prompt the picture shows, in words by the starter's judge, or as numbers by CLIP.
import { make } from "./dom.js";
import { choice } from "./inside_parts.js";

/** @typedef {import("./messages.d.ts").LikenessFound} Likeness */

const sign = (right) => make("i", { className: `icon small icon-${right ? "check" : "x"}`, "aria-hidden": "true" });
const fact = ({ said, seen, right, begins }) =>
  make("li", { className: `${right ? "inside-right" : "inside-wrong"}${begins ? " begins" : ""}` }, sign(right), make("span", { textContent: said }), make("small", { textContent: right ? "yes" : seen === "nothing" ? "no" : `no, ${seen}` }));
const bar = ({ text, likeness }, most) =>
  make("div", { className: "inside-bar wide" }, make("span", { textContent: text }), make("i", { style: `--share: ${Math.max(0, likeness / most)}` }), make("span", { textContent: likeness.toFixed(3) }));

/** @type {import("./inside_page.js").Panel} */
export const likeness = {
  name: "likeness",
  title: "Likeness",
  head: "Does it show what you said?",
  says: "Another network, which had no part in the drawing, looks at the picture and is asked for what your prompt names. The starter has a judge of its own that answers in words; other models are compared by CLIP, where the larger number is the closer match.",
  show({ body, look }) {
    look("likeness", ({ found }) => {
      const { by, facts, right, total, whole, parts } = /** @type {Likeness} */ (found);
      const list = make("ul", { className: "inside-judged" });
      const most = Math.max(whole, ...parts.map(({ likeness: value }) => value), 0.01);
      const draw = (which) => list.replaceChildren(...facts.filter((each) => which === "all" || each.right === (which === "right")).map(fact));
      if (facts.length) {
        const ways = [["all", `All ${facts.length}`], ["right", `Seen ${facts.filter((each) => each.right).length}`], ["wrong", `Not seen ${facts.filter((each) => !each.right).length}`]];
        body.append(make("p", { className: "inside-score", textContent: `${right} of ${total}` }), choice("Which facts", ways, "all", draw), list);
        draw("all");
      } else body.append(make("div", { className: "inside-spot" }, bar({ text: "The whole prompt", likeness: whole }, most), ...parts.map((each) => bar(each, most))));
      body.append(make("p", { className: "inside-note", textContent: `${by} says so, and can be wrong.` }));
    });
  },
};
