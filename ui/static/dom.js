// The document, as all scripts touch it: parts of a component, elements that are made, events between components, Gradio's inputs.

// Finds the parts of a component by name: the elements of its skeleton that say `data-part`.
/** @type {(root: ParentNode) => (name: string) => any} */
export const parts = (root) => (name) => root.querySelector(`[data-part="${name}"]`);

/** The first element that a selector means, on the page or in an element. @type {(selector: string, root?: ParentNode) => any} */
export const find = (selector, root = document) => root.querySelector(selector);

/** All of them. @type {(selector: string, root?: ParentNode) => any[]} */
export const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];

// An element with properties or, where there is no such property, attributes. Nothing goes in where a piece is missing.
/** @type {(tag: string, looks?: Record<string, any>, ...inside: any[]) => any} */
export const make = (tag, looks = {}, ...inside) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(looks)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...inside.filter((piece) => piece !== "" && piece != null));
  return made;
};

// An element of a drawing, with attributes.
/** @type {(tag: string, looks?: Record<string, any>, ...inside: any[]) => SVGElement} */
export const shape = (tag, looks = {}, ...inside) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(looks)) made.setAttribute(name, value);
  made.append(...inside);
  return made;
};

// A drawing surface that is on no page.
export const surface = (width, height) => Object.assign(document.createElement("canvas"), { width, height });

// A small square, to be repeated.
export const tile = (size, draw) => {
  const made = surface(size, size);
  draw(made.getContext("2d"));
  return made;
};

// A line of words, which is hidden while it says nothing.
export const write = (line, words = "") => {
  if (line.textContent !== words) line.textContent = words;
  line.hidden = !words;
};

// A wheel that turns up and down moves a row sideways, until its end.
export const wheelSideways = (row) => {
  const move = (event) => {
    if (event.ctrlKey || Math.abs(event.deltaX) >= Math.abs(event.deltaY)) return;
    const before = row.scrollLeft;
    row.scrollLeft += event.deltaY * (event.deltaMode === 1 ? 24 : 1);
    if (row.scrollLeft !== before) event.preventDefault();
  };
  row.addEventListener("wheel", move, { passive: false });
};

// ---- events between the components of the page ---------------------------------------------------------------------------

/** @typedef {import("./page_types.d.ts").PageEvents} PageEvents */

/** @type {<Name extends keyof PageEvents>(name: Name, detail?: PageEvents[Name]) => void} */
export const emit = (name, detail) => void window.dispatchEvent(new CustomEvent(`atelier:${name}`, { detail }));

/** @type {<Name extends keyof PageEvents>(name: Name, act: (detail: PageEvents[Name]) => void, options?: AddEventListenerOptions) => void} */
export const on = (name, act, options = {}) =>
  window.addEventListener(`atelier:${name}`, (event) => act(/** @type {CustomEvent} */ (event).detail), options);

// ---- time: milliseconds --------------------------------------------------------------------------------------------------

export const pause = (time) => new Promise((done) => setTimeout(done, time));

// Acts when nobody has asked again for a while.
export const later = (time, act) => {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, time);
  };
};

// ---- Gradio's inputs, set by a script as if somebody had typed -----------------------------------------------------------

// A number.
export const enter = (selector, number) => {
  const field = find(`${selector} input[type="number"]`);
  if (!field || field.value === String(number)) return;
  field.value = String(number);
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.dispatchEvent(new Event("change", { bubbles: true }));
};

// A text: the browser's own undo takes it back.
export const typeInto = (field, text) => typeOver(field, 0, field.value.length, text);

// A text in the place of a part of the field's, which is selected then, unless it is all of it.
export const typeOver = (field, start, end, text) => {
  const meant = field.value.slice(0, start) + text + field.value.slice(end);
  const part = start > 0 || end < field.value.length;
  const top = field.scrollTop;
  field.focus();
  field.setSelectionRange(start, end);
  if (!document.execCommand("insertText", false, text) || field.value !== meant) {
    field.value = meant;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  if (!part) return;
  field.setSelectionRange(start, start + text.length);
  field.scrollTop = top;
};
