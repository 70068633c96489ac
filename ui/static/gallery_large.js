// The large view over the library: it walks through what a search found.
import { emit } from "./dom.js";
import { largeView } from "./stage_large.js";
import { markOf, stars } from "./stars.js";

// `view`: the grid, whose active picture is shown; `at` finds one by its place; `mark`: what a key does with it, `lay` has it on the surface.
export const large = (part, { view, at, mark, lay }) => {
  let shown = null;
  const walk = (by) => {
    view.move(view.active + by);
    show();
  };
  const big = largeView(part, (by) => void walk(by));
  const setStars = stars(part("large-stars"), (rating) => mark({ does: "rate", rating }));

  // The picture may still be on its way: then it comes with `arrived`.
  const show = () => {
    const picture = at(view.active);
    if (!picture || picture === shown) return;
    setStars(picture.rating);
    part("lay").hidden = picture.deleted !== null;
    part("large-heart").setAttribute("aria-pressed", String(picture.favourite));
    if (picture.id !== shown?.id) {
      big.show({ ...picture, from: "", note: "" });
      emit("picture", { id: picture.id, chosen: true });
    }
    shown = picture;
  };
  const open = (index = view.active) => {
    shown = null;
    view.move(index);
    show();
  };

  part("large").addEventListener("keydown", (event) => {
    const does = markOf(event);
    if (does) mark(does);
    const end = { Home: 0, End: view.total - 1 }[event.key];
    if (end !== undefined) (view.move(end), show());
  });
  part("large-heart").addEventListener("click", () => mark({ does: "favourite" }));
  part("lay").addEventListener("click", () => {
    const picture = shown;
    part("large").close();
    if (picture) lay(picture);
  });
  part("back").addEventListener("click", () => walk(-1));
  part("on").addEventListener("click", () => walk(1));
  part("close").addEventListener("click", () => part("large").close());
  part("large").addEventListener("close", () => (shown = null));
  return { open, arrived: () => part("large").open && show() };
};
