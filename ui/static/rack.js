// A list of files with their strengths: what a request calls loras and hypernetworks. Names enter as text, never as markup.
import { emit, make, on, parts } from "./dom.js";
import * as folds from "./folds.js";
import { addWord } from "./keys.js";
import { typedNumber } from "./numbers.js";
import { wanted } from "./on_demand.js";
import * as page from "./page.js";

const strengths = new Map(); // what a file is called -> how strong it was made last, since the page was opened

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, trigger, props, watch }) => {
  const part = parts(element);
  const { field, files, title, words, numbers, most, kind } = props.offers;
  const singular = title.replace(/s$/, "");
  let offered = [];

  const entries = () => (Array.isArray(props.value) ? props.value : []);
  const change = (next) => {
    props.value = next;
    trigger("change");
    draw();
  };
  const known = (id) => offered.find((file) => file.id === id);

  const strength = (entry, place, name) => {
    const { low, high, step } = numbers[name];
    const slider = make("input", { type: "range", min: -1, max: 2, step, value: entry[name] });
    const exact = make("input", { type: "number", min: low, max: high, step, value: entry[name] });
    for (const input of [slider, exact]) {
      input.setAttribute("aria-label", `${words[name]} of ${nameOf(entry)}`);
      input.addEventListener("input", () => {
        const other = input === slider ? exact : slider;
        if (input.value) other.value = input.value;
      });
      input.addEventListener("change", () => {
        const number = typedNumber(input, entry[name], numbers[name]);
        if (name === "unet") strengths.set(entry.name, number);
        change(entries().map((old, index) => (index === place ? { ...old, [name]: number } : old)));
      });
    }
    return make("label", { className: "rack-strength" }, make("span", { textContent: words[name] }), slider, exact);
  };

  const nameOf = (entry) => known(entry.id)?.name ?? entry.name ?? "a file that is not here";

  // Numbers that are written as text: for each block, and over the steps.
  const written = (entry, place, name, placeholder) => {
    const input = make("input", { type: "text", value: entry[name] ?? "", maxLength: 400, placeholder });
    input.addEventListener("change", () => change(entries().map((old, index) => (index === place ? { ...old, [name]: input.value } : old))));
    const label = make("label", {}, make("span", { textContent: words[name] }), input);
    const details = make("details", { className: "rack-blocks" }, make("summary", { textContent: words[name] }), label);
    return folds.details(details, `${kind}-${field}-${name}-${entry.id}`, !!entry[name]);
  };

  const trigger_words = (file) =>
    (file?.words ?? []).slice(0, 6).map(({ said, written }) => {
      const chip = make("button", { type: "button", className: "rack-word", textContent: said, title: "Put this word into the prompt" });
      chip.addEventListener("click", () => addWord(kind, written));
      return chip;
    });

  const row = (entry, place) => {
    const file = known(entry.id);
    const remove = make("button", { type: "button", className: "rack-remove", textContent: "Remove" });
    remove.setAttribute("aria-label", `Remove ${nameOf(entry)}`);
    remove.addEventListener("click", () => change(entries().filter((_, index) => index !== place)));
    const picture = file?.picture && make("img", { className: "rack-picture", src: `cards/${file.id}/picture?of=${file.picture}`, alt: "", loading: "lazy" });
    const item = make("li", {}, make("div", { className: "rack-head" }, picture, make("strong", { textContent: entry.region ? `${nameOf(entry)}, in region ${entry.region}` : nameOf(entry) }), remove));
    const problem = offered.length && !file ? "It is not in the models folders any more." : file?.reason;
    if (problem) item.append(make("p", { className: "rack-problem", textContent: problem }));
    item.append(...Object.keys(numbers).filter((name) => numbers[name]).map((name) => strength(entry, place, name)));
    const chips = trigger_words(file);
    if (chips.length) item.append(make("div", { className: "rack-words" }, ...chips));
    if ("blocks" in words) item.append(written(entry, place, "blocks", "1 everywhere"));
    if ("pace" in words) item.append(written(entry, place, "pace", "0@0, 1@0.5"));
    return item;
  };

  const option = (file) => {
    const made = make("option", { value: file.id, textContent: file.reason ? `${file.name} (${file.misfit})` : file.name, disabled: !!file.reason });
    if (file.reason) made.title = file.reason;
    return made;
  };

  const draw = () => {
    const now = entries();
    part("entries").replaceChildren(...now.map(row));
    part("empty").hidden = offered.length > 0;
    part("empty").textContent = `None yet. Put .safetensors files into the models folder “${files}”; they appear here by themselves.`;
    const invite = make("option", { value: "", textContent: now.length < most ? `Add a ${singular}…` : `${most} is the most` });
    part("add").replaceChildren(invite, ...offered.map(option));
    part("add").disabled = !offered.length || now.length >= most;
    part("add").closest(".rack-add").hidden = !offered.length;
    part("browse").hidden = field === "controls" || !offered.length;
    part("browse").disabled = now.length >= most;
  };

  // As strong as it was the last time.
  const add = (file) => {
    if (!file || entries().length >= most) return;
    const strength = strengths.get(file.called) ?? file.strength;
    const start = Object.fromEntries(Object.entries(numbers).filter(([, limit]) => limit).map(([name, limit]) => [name, strength ?? limit.default]));
    if (file.suits) emit("picked", { kind, suits: file.suits });
    const more = "blocks" in words ? { blocks: "" } : {};
    change([...entries(), { id: file.id, name: file.called, ...start, ...more }]);
  };
  part("add").addEventListener("change", () => add(known(part("add").value)));
  part("browse").addEventListener("click", () => wanted("model_cards").then(({ showCards }) => showCards({ title, offered: () => offered, add, word: (text) => addWord(kind, text) }), () => {}));
  part("browse").title = `Choose ${title} by their pictures`;
  part("browse").setAttribute("aria-label", part("browse").title);
  on("lists", ({ kind: whose, lists }) => {
    if (whose !== kind) return;
    offered = lists[files] ?? [];
    draw();
  });
  on("renumbered", ({ kind: whose, kept }) => {
    const now = entries();
    if (whose !== kind || !now.some(({ region }) => region)) return;
    const moved = now.map((entry) => (entry.region ? { ...entry, region: kept.indexOf(entry.region - 1) + 1 || -1 } : entry));
    change(moved.filter(({ region }) => region !== -1));
  });
  watch("value", draw);
  part("title").textContent = title;
  part("adding").textContent = `Add a ${singular}`;
  offered = page.lists[kind]?.[files] ?? [];
  draw();
};
