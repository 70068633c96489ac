// What the components of the page know of each other: each writes its own, and tells of it by an event (see dom.js).
import { emit, find } from "./dom.js";

/** @type {Record<string, Record<string, any>>} */
export const forms = {}; // kind -> the values of its form, by name, as they are now
/** @type {Record<string, Record<string, any>>} */
export const lists = {}; // kind -> what the library offers its form
/** @type {Record<string, any>} */
export const painted = {}; // kind -> how large the picture is and what is painted on it
/** @type {Record<string, any>} */
export const canvases = {}; // kind -> its paint canvas
/** @type {{ tab: string, canvas: boolean, picture: string, board: string, heat: boolean }} */
export const open = { tab: "txt2img", canvas: false, picture: "", board: "", heat: false }; // the tab that is open, whether its surface is a canvas; the ids of the picture in the inspector, and of the board that the library is to open with; whether heat is laid over what forms
/** @type {{ engine: Record<string, any> | null, preprocessors: Record<string, any>[] | null, queue: import("./page_types.d.ts").Queue | null, desk: import("./messages.d.ts").GalleryDesk | null, together: import("./messages.d.ts").TogetherNews | null }} */
export const told = { engine: null, preprocessors: null, queue: null, desk: null, together: null }; // the last word of the server on each
export const editing = { job: "", kind: "" }; // the waiting job that is being edited, and of which kind it is

// The tab that shows the inside of a picture is filled when it is first opened, so what was asked for is kept here.
export const inside = { picture: "" };
export const lookInside = (id) => {
  inside.picture = id;
  find("#tab-inside-button")?.click();
  emit("inside", { id });
};

// How large the picture of a form is now, and what is painted on it: {kind, width, height, bounds ...}.
export const tellPainted = (detail) => {
  painted[detail.kind] = detail;
  emit("painted", detail);
};
