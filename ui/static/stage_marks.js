// Marks below the surface and on the strip: stars, favourites, the bin, and the way into the library.
import { find, later, make, on } from "./dom.js";
import { typing } from "./keyboard.js";
import { favour, rate, throwAway } from "./marks.js";
import { markOf, stars } from "./stars.js";

const SOON = 400; // milliseconds until the library is asked how many there are
const NEWEST = 300; // pictures of the strip

// `shown()`: the id of the picture that lies on the surface, or null; `strip`; `gone(ids)` hears of pictures that were thrown away.
export const marks = (part, { shown, strip, gone }) => {
  let now = { id: "", rating: 0, favourite: false };
  const setStars = stars(part("stars"), (rating) => (unfold(false), now.id && rate([now.id], rating)));
  const unfold = (open) => part("rate").setAttribute("aria-expanded", String(open)); // a phone has no room for five at rest
  const draw = () => {
    setStars(now.rating);
    part("rating").textContent = now.rating ? String(now.rating) : "";
    part("rate").classList.toggle("on", now.rating > 0);
    part("heart").setAttribute("aria-pressed", String(now.favourite));
  };

  // ---- the picture below the surface -------------------------------------------------------------------------------------------

  const look = async (id) => {
    if (!id || id === now.id) return;
    now = { id, rating: 0, favourite: false };
    draw();
    const answer = await fetch(`library/pictures/${encodeURIComponent(id)}`).catch(() => null);
    const told = answer?.ok ? await answer.json().catch(() => null) : null;
    if (told && now.id === id) (now = told), draw();
  };
  const ACTS = {
    rate: ({ rating }) => rate([now.id], rating),
    favourite: () => favour([now.id], !now.favourite),
    delete: () => throwAway([now.id]),
  };
  part("rate").addEventListener("click", () => unfold(part("rate").getAttribute("aria-expanded") !== "true"));
  document.addEventListener("pointerdown", ({ target }) => /** @type {Element} */ (target).closest?.(".marks") || unfold(false));
  part("heart").addEventListener("click", () => ACTS.favourite());
  part("bin").addEventListener("click", () => ACTS.delete());
  document.addEventListener("keydown", (event) => {
    const does = markOf(event);
    if (!does || typing(event.target) || !shown() || shown() !== now.id) return;
    const dialog = find("dialog[open]");
    if (dialog && dialog !== part("large")) return;
    if (!dialog && (part("caption").hidden || !part("caption").getClientRects().length)) return;
    event.preventDefault();
    ACTS[does.does](does);
  });
  on("picture", ({ id }) => id === shown() && look(id));

  // ---- the strip, and how many there are ---------------------------------------------------------------------------------------

  const figure = make("b");
  const way = make("button", { type: "button", className: "to-library", title: "All your pictures", hidden: true }, make("span", { textContent: "Library" }), figure, make("i", { className: "icon icon-arrow-right" }));
  way.addEventListener("click", () => find("#tab-gallery-button")?.click());
  part("recent").append(way);
  const count = async () => {
    const told = await fetch(`library?count=${NEWEST}`).then((answer) => (answer.ok ? answer.json() : null)).catch(() => null);
    if (!told) return;
    figure.textContent = told.total.toLocaleString("en");
    way.hidden = !told.total;
    for (const { id, rating } of told.pictures) strip.rated(id, rating);
  };
  const recount = later(SOON, count);
  on("drawn", recount);
  on("marked", ({ ids, rating, favourite, deleted }) => {
    if (rating !== undefined) ids.forEach((id) => void strip.rated(id, rating));
    if (ids.includes(now.id)) {
      now = { ...now, rating: rating ?? now.rating, favourite: favourite ?? now.favourite };
      draw();
    }
    if (deleted) gone(ids);
    if (deleted === false) strip.bring(ids);
    if (deleted !== undefined) recount();
  });
  recount();
};
