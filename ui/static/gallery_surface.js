// A picture of the library is laid on the surface, in the tab that it came from.
import { emit, find, on } from "./dom.js";

// `kinds`: of pictures; those of them that have a tab are its name. Returns what lays one there.
export const surface = (kinds) => {
  let drawing = "txt2img"; // the tab in which one drew last
  on("tab", ({ tab }) => tab in kinds && (drawing = tab));
  const button = (tab) => find(`#tab-${CSS.escape(tab)}-button`);
  /** @type {(picture: import("./messages.d.ts").GalleryPicture) => void} */
  return (picture) => {
    on("tab", () => emit("surface", { ...picture, from: "", as_drawn: "", note: "" }), { once: true }); // a tab that opens shows what is its own
    (button(picture.kind || drawing) ?? button(drawing)).click();
  };
};
