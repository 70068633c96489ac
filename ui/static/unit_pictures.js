// What is seen on the card of a control unit: its picture, the map that the model will see, and the region in which it acts.
import { make, write } from "./dom.js";
import { chooses, receive } from "./files.js";

export const address = (id) => `input/${encodeURIComponent(id)}.png`;
const GONE = "It is not stored here any more. Put it in again.";

// A hidden chooser of files, and a button that opens it.
const chooser = (name, open) => {
  const input = make("input", { type: "file", accept: "image/*", hidden: true, "data-part": name });
  chooses(input, open);
  return input;
};
const button = (words, act, looks = {}) => {
  const made = make("button", { type: "button", className: "unit-way", textContent: words, ...looks });
  made.addEventListener("click", act);
  return made;
};
const size = (image) => (image.naturalWidth ? { width: image.naturalWidth, height: image.naturalHeight } : null);

const CLOSE = 0.06; // of two shapes: the logarithm of what the one is wider
const likeness = (one, other) => Math.abs(Math.log((one.width / one.height) * (other.height / other.width)));

// `put` takes a file, `commit` an id, `resize` the size of the picture. look: {shown, begins, form, busy, note, whose}
export const picture = (field, commit, { put, resize }) => {
  const image = make("img", { alt: "", decoding: "async" });
  const words = make("span", { className: "unit-empty" });
  const drop = make("button", { type: "button", className: "unit-drop", "data-part": "drop" }, image, words);
  const caption = make("p", { className: "unit-caption" });
  const note = make("p", { className: "unit-info", role: "status" });
  const file = chooser("file", put);
  const other = button("Another…", () => file.click());
  const out = button("", () => commit(""), { "data-part": "out" });
  const shape = button("Draw in its shape", () => resize(size(image)), { "data-part": "shape", title: "Width and height as the picture has them" });
  const room = make("div", { className: "unit-tile" }, caption, drop, make("div", { className: "unit-ways" }, other, out, shape), note, file);
  let drawn = {};
  let own = false;
  const shapes = () => (shape.hidden = !image.naturalWidth || !image.src || !own || !(likeness(size(image), drawn) > CLOSE));
  let invite = "";
  drop.addEventListener("click", () => file.click());
  image.addEventListener("error", () => image.src && ((words.textContent = GONE), (room.dataset.state = "gone")));
  image.addEventListener("load", () => ((room.dataset.state = "there"), shapes()));
  receive(room, () => false, put, (why) => write(note, why));

  const show = (value, look) => {
    const source = look.shown ? address(look.shown) : "";
    invite = look.busy || (look.begins.name ? `This tab has no ${look.begins.called} yet. Drop a picture here to use that.` : "Drop a picture here, paste one (Ctrl+V), or click to choose");
    if (!source) room.dataset.state = "empty";
    if (room.dataset.state !== "gone" || image.getAttribute("src") !== source) words.textContent = invite;
    if (source && image.getAttribute("src") !== source) image.src = source;
    if (!source) image.removeAttribute("src");
    room.toggleAttribute("data-busy", !!look.busy);
    write(caption, value || !look.begins.name ? look.title : `The ${look.begins.called} of this tab`);
    drop.setAttribute("aria-label", look.shown ? `Change the picture of ${look.whose}` : `Choose a picture for ${look.whose}`);
    other.hidden = !look.shown;
    other.textContent = value ? "Another…" : "Its own…";
    out.hidden = !value;
    drawn = look.form;
    own = !!value && !look.begins.name; // in the other tabs the canvas decides
    shapes();
    out.textContent = look.begins.name ? "Take this tab's" : "Take out";
    write(note, look.note);
  };
  return { root: room, show, size: () => size(image), drop };
};

// What the model will see. look: {map: {state, id, width, height, message}, whose}
export const seen = ({ enlarge, retry }) => {
  const image = make("img", { alt: "", decoding: "async" });
  const words = make("span", { className: "unit-empty" });
  const large = make("button", { type: "button", className: "unit-drop", "data-part": "map" }, image, words, make("i", { className: "unit-spinner" }));
  const caption = make("p", { className: "unit-caption", textContent: "What the model will see" });
  const facts = make("p", { className: "unit-info" });
  const root = make("div", { className: "unit-tile unit-seen", role: "status" }, caption, large, facts);
  const again = button("Try again", retry);
  const problem = make("p", { className: "unit-problem", role: "alert" });
  const trouble = make("div", { className: "unit-trouble", hidden: true }, problem, again);
  large.addEventListener("click", enlarge);

  const WORDS = { none: "Its map appears here once there is a picture", missing: "No map without the weights of the preprocessor", failed: "No map" };
  const show = ({ map, whose }) => {
    root.dataset.state = map.state;
    root.setAttribute("aria-busy", String(map.state === "busy"));
    if (map.id && image.getAttribute("src") !== address(map.id)) image.src = address(map.id);
    if (map.state in WORDS) image.removeAttribute("src");
    words.textContent = WORDS[map.state] ?? (image.getAttribute("src") ? "" : "Making the map…");
    large.disabled = map.state !== "done";
    large.setAttribute("aria-label", map.state === "done" ? `What the model of ${whose} will see, enlarge` : `What the model of ${whose} will see`);
    write(facts, map.state === "done" ? `${map.width} × ${map.height}` : "");
    write(problem, map.state === "failed" ? map.message : "");
    trouble.hidden = map.state !== "failed";
  };
  return { root, trouble, show };
};

// The mask of the region. `put` takes a file, `paint` opens a sheet to draw it on. look: {can, busy, whose, note}
export const region = (field, commit, { put, paint }) => {
  const image = make("img", { alt: "The region", decoding: "async" });
  const name = make("span", { className: "unit-name" });
  const words = make("span", { className: "unit-info" });
  const file = chooser("mask-file", put);
  const open = button("Upload a mask…", () => file.click(), { "data-part": "mask" });
  const draw = button("Draw…", paint, { "data-part": "paint" });
  const clear = button("Clear", () => commit(""), { "data-part": "unmask" });
  const note = make("p", { className: "unit-info", role: "status" });
  const line = make("div", { className: "unit-region" }, name, image, words, draw, open, clear, file);
  const show = (value, look) => {
    write(name, look.title);
    image.hidden = !value;
    if (value && image.getAttribute("src") !== address(value)) image.src = address(value);
    write(words, value ? "" : "everywhere");
    draw.textContent = value ? "Draw on it…" : "Draw…";
    draw.setAttribute("aria-label", `Draw the region of ${look.whose}`);
    open.textContent = value ? "Another…" : "Upload a mask…";
    for (const way of [draw, open]) {
      way.disabled = !look.can;
      way.title = look.can ? look.info : "Put a picture in first: the mask takes its size.";
    }
    open.setAttribute("aria-label", `Upload a mask for the region of ${look.whose}`);
    clear.hidden = !value;
    clear.setAttribute("aria-label", `Clear the region of ${look.whose}`);
    write(note, look.busy || look.note || look.info);
  };
  return { root: make("div", { className: "unit-choice" }, line, note), show };
};

