// Five stars to be pressed, and the keys that rate.
import { findAll, make } from "./dom.js";

// `rate` hears of 0 to 5: the star that shows the rating takes it back.
export const stars = (place, rate) => {
  let shown = 0;
  const star = (count) => {
    const says = count === 1 ? "1 star" : `${count} stars`;
    const button = make("button", { type: "button", className: "star", title: `${says} (${count})`, "aria-label": says, "aria-pressed": "false" }, make("i", { className: "icon icon-star" }));
    button.addEventListener("click", () => rate(count === shown ? 0 : count));
    return button;
  };
  place.append(...[1, 2, 3, 4, 5].map(star));
  return (rating) => {
    shown = rating;
    findAll(".star", place).forEach((button, index) => {
      button.classList.toggle("on", index < rating);
      button.setAttribute("aria-pressed", String(index + 1 === rating));
    });
  };
};

// What a key does with pictures: "rate", "favourite", "delete", or nothing.
/** @type {(event: KeyboardEvent) => { does: string, rating?: number } | null} */
export const markOf = ({ key, ctrlKey, metaKey, altKey }) => {
  if (ctrlKey || metaKey || altKey) return null;
  if (/^[0-5]$/.test(key)) return { does: "rate", rating: Number(key) };
  if (key.toLowerCase() === "f") return { does: "favourite" };
  return key === "Delete" ? { does: "delete" } : null;
};
