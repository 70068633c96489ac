// What the panels of the Inside tab are made of: sliders, rows of choices, numbers.
import { make } from "./dom.js";

// A slider over whole places, with its value said beside it. `says`: a place -> words; `act` hears of each place.
export const slider = (label, most, says, act, first = 0) => {
  const input = make("input", { type: "range", min: "0", max: String(most), step: "1", value: String(first), "aria-label": label });
  const output = make("output");
  const say = () => {
    output.textContent = says(Number(input.value));
    input.setAttribute("aria-valuetext", output.textContent);
  };
  const move = () => {
    say();
    act(Number(input.value));
  };
  say();
  input.addEventListener("input", move);
  const root = make("label", { className: "inside-slider" }, make("span", { textContent: label }), input, output);
  return {
    root,
    go(place) {
      input.value = String(place);
      move();
    },
    at: () => Number(input.value),
  };
};

// One of several. `entries`: [value, words]; `act` hears of the chosen value.
export const choice = (label, entries, chosen, act) => {
  const buttons = entries.map(([value, words]) => {
    const button = make("button", { type: "button", textContent: words, "aria-pressed": String(value === chosen) });
    button.addEventListener("click", () => {
      for (const [index, [other]] of entries.entries()) buttons[index].setAttribute("aria-pressed", String(other === value));
      act(value);
    });
    return button;
  });
  return make("div", { className: "inside-choice", role: "group", "aria-label": label }, ...buttons);
};

// The place of the first word that is likely to name a thing: one of more than three letters, else of the first there is.
export const telling = (words) => {
  const long = words.filter((word) => word.length > 3);
  return Math.max(0, words.indexOf(long[0] ?? words.find(Boolean)));
};

// Facts: [name, value] each, in a row that wraps.
export const facts = (entries) =>
  make("dl", { className: "inside-facts" }, ...entries.map(([name, value]) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value }))));

export const short = (number, digits = 3) => Number(number.toPrecision(digits)).toLocaleString("en", { maximumSignificantDigits: digits });
