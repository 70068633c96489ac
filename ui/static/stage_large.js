// The large view of a picture, over the page; its neighbours by arrow keys and buttons.
import { address } from "./stage_live.js";
import { facts, named } from "./stage_words.js";

// `part` finds the elements; `neighbour` selects the picture that stands so far from the selected one and returns it, if there is one.
export const largeView = (part, neighbour) => {
  const show = (picture) => {
    part("large-picture").src = `${address("picture", picture.id)}.png`;
    part("large-picture").alt = named(picture);
    part("large-prompt").textContent = picture.prompt;
    part("large-facts").textContent = facts(picture);
    if (!part("large").open) part("large").showModal();
  };
  const turn = (by) => {
    const picture = neighbour(by);
    if (picture) show(picture);
  };
  part("large").addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by) turn(by);
  });
  part("large").addEventListener("click", (event) => {
    if (event.target === part("large") || event.target === part("large-picture")) part("large").close();
  });
  return { show, turn };
};
