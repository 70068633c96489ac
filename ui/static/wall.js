// The wall of an empty surface: pictures that came with the model, each one click from its settings.
import { snapshot } from "./desk.js";
import { make } from "./dom.js";

/** @type {(list: HTMLElement, examples: import("./messages.d.ts").Example[], take: (example: import("./messages.d.ts").Example) => void) => void} */
export const wall = (list, examples, take) => {
  const tile = (example) => {
    const image = make("img", { src: `example/${encodeURIComponent(example.checkpoint)}/${example.number}`, alt: "", decoding: "async" });
    const words = make("span", { textContent: example.prompt });
    const button = make("button", { type: "button", title: `Fill the form with what made this: ${example.prompt}` }, image, words);
    button.addEventListener("click", () => (snapshot("txt2img"), take(example)));
    return make("li", {}, button);
  };
  list.replaceChildren(...examples.map(tile));
};
