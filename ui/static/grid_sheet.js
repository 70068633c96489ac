// The sheet of a grid: its cells with their legends, as they form; zoomed by wheel, fingers and slider. Axes beyond the second are rows of tabs.
import { later, make } from "./dom.js";
import { limit } from "./numbers.js";

/** @typedef {import("./messages.d.ts").GridAxis} Axis */
/** @typedef {import("./messages.d.ts").GridCell} Cell */

const [SMALLEST, LARGEST] = [44, 640]; // pixels that a cell is wide
const THUMB = 330; // and beyond which its picture is shown as it is
const SOON = 350; // milliseconds that the eye rests until the server is told where it is
const GAP = 6;

const WORDS = { "to come": "Is still to come", waiting: "Comes next", running: "Is drawn now", failed: "Could not be drawn", stopped: "Was stopped", interrupted: "Was interrupted", done: "Its picture is not here any more" };

/** @param {HTMLElement} root @param {{ choose: (place: string, more: boolean) => void, open: (place: string) => void, look: (at: string, seen: string[]) => void }} hears */
export const gridSheet = (root, { choose, open, look }) => {
  const tabs = make("div", { className: "grid-tabs" });
  const sheet = make("div", { className: "grid-sheet" });
  const scroll = make("div", { className: "grid-scroll", tabIndex: -1 }, sheet);
  root.append(tabs, scroll);

  /** @type {Axis[]} */
  let axes = [];
  /** @type {number[]} */
  let order = []; // which axis goes across, which down, and so on
  let shape = ""; // of what is laid out
  let size = { width: 1, height: 1 };
  let cell = 140;
  let fitted = true;
  /** @type {number[]} */
  let sheets = []; // the key that each axis beyond the second shows
  /** @type {Record<string, Cell>} */
  let cells = {};
  /** @type {Map<string, any>} */
  const laid = new Map();
  /** @type {Set<string>} */
  const seen = new Set();
  let at = "";
  /** @type {string[]} */
  let picked = [];

  const tellEye = later(SOON, () => look(at, [...seen]));
  const eye = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) seen[isIntersecting ? "add" : "delete"](/** @type {HTMLElement} */ (target).dataset.place ?? "");
    tellEye();
  }, { root: scroll });

  // ---- a cell ---------------------------------------------------------------------------------------------------------------

  // The place of a cell has the keys in the order of the grid's own axes.
  const placeOf = (across, down) => {
    const keys = [];
    const here = [across, down, ...sheets];
    for (let place = 0; place < axes.length; place += 1) keys[order[place]] = here[place];
    return keys.join(".");
  };
  const legend = (place) => {
    const keys = place.split(".").map(Number);
    return axes.map(({ title, values }, index) => `${title} ${values.find(({ key }) => key === keys[order[index]])?.title ?? ""}`).join(" · ");
  };
  const source = (id) => (cell * devicePixelRatio > THUMB ? `picture/${id}.png` : `thumb/${id}`);
  const show = (place) => {
    const made = laid.get(place);
    if (!made) return;
    const now = cells[place] ?? { state: "to come", message: "", picture: null };
    made.dataset.state = now.picture && now.state !== "running" ? "drawn" : now.state;
    const wanted = now.picture ? source(now.picture.id) : "";
    const image = made.firstElementChild;
    if (now.state !== "running" && image.getAttribute("src") !== wanted) wanted ? (image.src = wanted) : image.removeAttribute("src");
    made.setAttribute("aria-label", `${legend(place)}. ${now.picture ? "Drawn" : (now.message || WORDS[now.state] || "")}`);
    made.title = now.picture ? legend(place) : `${legend(place)}\n${now.message || WORDS[now.state] || ""}`;
    made.toggleAttribute("data-picked", picked.includes(place));
  };
  const build = (place) => {
    const made = make("button", { type: "button", className: "grid-cell", "data-place": place, tabIndex: -1 }, make("img", { alt: "", draggable: false, decoding: "async" }), make("i", { className: "icon icon-x small" }));
    laid.set(place, made);
    show(place);
    eye.observe(made);
    return made;
  };

  // ---- the sheet ------------------------------------------------------------------------------------------------------------

  const head = (words, className, looks = {}) => make("div", { className: `grid-legend ${className}`, title: words, ...looks }, make("span", { textContent: words }));
  const lay = () => {
    eye.disconnect();
    seen.clear();
    laid.clear();
    const [across, down] = axes;
    if (!across) return sheet.replaceChildren();
    sheet.style.setProperty("--ratio", String(size.width / size.height));
    sheet.dataset.axes = String(Math.min(axes.length, 2));
    if (!down) {
      sheet.style.gridTemplateColumns = "";
      const one = ({ key, title }) => make("figure", { className: "grid-single" }, build(placeOf(key)), make("figcaption", { textContent: title, title }));
      sheet.replaceChildren(...across.values.map(one));
    } else {
      sheet.style.gridTemplateColumns = `minmax(56px, max-content) repeat(${across.values.length}, var(--cell))`;
      const corner = make("div", { className: "grid-corner" }, make("span", { textContent: across.title }), make("span", { textContent: down.title }));
      const rows = down.values.flatMap(({ key, title }) => [head(title, "down"), ...across.values.map(({ key: own }) => build(placeOf(own, key)))]);
      sheet.replaceChildren(corner, ...across.values.map(({ title }) => head(title, "across")), ...rows);
    }
    const first = laid.values().next().value;
    if (first) first.tabIndex = 0;
    zoom(fitted ? fit() : cell);
  };
  const layTabs = () => {
    const rows = axes.slice(2).map((axis, place) => {
      const buttons = axis.values.map(({ key, title }) => {
        const button = make("button", { type: "button", role: "tab", "aria-selected": String(sheets[place] === key), textContent: title, title });
        button.addEventListener("click", () => {
          sheets[place] = key;
          layTabs();
          lay();
        });
        return button;
      });
      return make("div", { className: "grid-tab-row", role: "tablist", "aria-label": axis.title }, make("span", { textContent: axis.title }), ...buttons);
    });
    tabs.replaceChildren(...rows);
    tabs.hidden = !rows.length;
  };

  // ---- zoom -----------------------------------------------------------------------------------------------------------------

  const fit = () => {
    const { clientWidth: width, clientHeight: height } = scroll;
    const [across, down] = axes;
    if (!across || !width) return cell;
    const ratio = size.width / size.height;
    if (!down) {
      for (let columns = 1; columns <= across.values.length; columns += 1) {
        const wide = (width - 40 - (columns - 1) * 14) / columns;
        if (Math.ceil(across.values.length / columns) * (wide / ratio + 40) <= height - 24) return limit(wide, 90, 420);
      }
      return limit((width - 40) / across.values.length, 90, 420);
    }
    const left = Math.min(170, width * 0.26);
    const wide = (width - left - 36) / across.values.length - GAP;
    const high = ((height - 74) / down.values.length - GAP) * ratio;
    return limit(Math.min(wide, high), SMALLEST + 12, 420);
  };
  let asked = () => {};
  const zoom = (to) => {
    const large = cell * devicePixelRatio > THUMB;
    cell = limit(to, SMALLEST, LARGEST);
    sheet.style.setProperty("--cell", `${Math.round(cell)}px`);
    if (large !== cell * devicePixelRatio > THUMB) for (const place of laid.keys()) show(place);
    asked();
  };
  const zoomBy = (factor, about = null) => {
    fitted = false;
    const box = scroll.getBoundingClientRect();
    const [x, y] = about ? [about.clientX - box.left, about.clientY - box.top] : [box.width / 2, box.height / 2];
    const before = cell;
    const [left, top] = [scroll.scrollLeft + x, scroll.scrollTop + y];
    zoom(cell * factor);
    scroll.scrollTo(left * (cell / before) - x, top * (cell / before) - y);
  };
  scroll.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoomBy(2 ** (-event.deltaY / 240), event);
  }, { passive: false });
  let apart = 0; // two fingers
  scroll.addEventListener("touchmove", (event) => {
    if (event.touches.length !== 2) return;
    event.preventDefault();
    const [one, other] = event.touches;
    const now = Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    const middle = { clientX: (one.clientX + other.clientX) / 2, clientY: (one.clientY + other.clientY) / 2 };
    if (apart) zoomBy(now / apart, middle);
    apart = now;
  }, { passive: false });
  for (const name of ["touchstart", "touchend", "touchcancel"]) scroll.addEventListener(name, () => (apart = 0), { passive: true });
  new ResizeObserver(() => fitted && zoom(fit())).observe(scroll);

  // ---- chosen, walked through ------------------------------------------------------------------------------------------------

  const cellOf = (target) => /** @type {HTMLElement | null} */ (target.closest?.(".grid-cell"));
  sheet.addEventListener("click", (event) => {
    const place = cellOf(event.target)?.dataset.place;
    if (place) choose(place, event.ctrlKey || event.metaKey || event.shiftKey);
  });
  sheet.addEventListener("dblclick", (event) => {
    const place = cellOf(event.target)?.dataset.place;
    if (place) open(place);
  });
  sheet.addEventListener("pointerover", (event) => {
    const place = cellOf(event.target)?.dataset.place ?? "";
    if (event.pointerType === "touch" || place === at) return;
    at = place;
    tellEye();
  });
  sheet.addEventListener("pointerleave", () => ((at = ""), tellEye()));
  sheet.addEventListener("keydown", (event) => {
    const all = [...laid.values()];
    const here = all.indexOf(/** @type {any} */ (document.activeElement));
    const wide = axes[1] ? axes[0].values.length : 1;
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -wide, ArrowDown: wide }[event.key];
    if (here < 0 || by === undefined || !all[here + by]) return;
    event.preventDefault();
    event.stopPropagation();
    all[here].tabIndex = -1;
    all[here + by].tabIndex = 0;
    all[here + by].focus();
    choose(all[here + by].dataset.place, false);
  });

  return {
    legend,
    /** @param {{ axes: Axis[], width: number, height: number, cells: Record<string, Cell> | null, order?: number[] }} told */
    show: (told) => {
      const next = JSON.stringify([told.axes.map(({ name, values }) => [name, values]), told.width, told.height, told.order]);
      if (told.cells) cells = told.cells;
      if (next !== shape) {
        shape = next;
        order = told.order ?? [...told.axes.keys()];
        axes = order.map((place) => told.axes[place]);
        size = { width: told.width, height: told.height };
        sheets = axes.slice(2).map((axis, place) => (axis.values.some(({ key }) => key === sheets[place]) ? sheets[place] : axis.values[0].key));
        layTabs();
        lay();
      } else if (told.cells) for (const place of laid.keys()) show(place);
    },
    // What is drawn in a cell at this moment.
    frame: (place, url) => {
      const made = laid.get(place);
      if (made && url) made.firstElementChild.src = url;
    },
    /** @param {string[]} places */
    pick: (places) => {
      const before = picked;
      picked = places;
      for (const place of new Set([...before, ...picked])) show(place);
    },
    fit: () => {
      fitted = true;
      zoom(fit());
    },
    zoomBy,
    zoomTo: (to) => {
      fitted = false;
      zoom(to);
    },
    size: () => cell,
    onZoom: (act) => (asked = act),
    bounds: [SMALLEST, LARGEST],
  };
};
