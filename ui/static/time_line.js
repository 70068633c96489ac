// Time lines, one for each prompt and pass in which something changes: its steps as one row, what is said at each, and below it what acts at some
// steps more than at others. Under prompts that are written they have edges: one that is moved writes its number into the text, by the field's own
// editing, so that undo takes it back; a text that is typed moves its edge when the server has read it.
import { find, make, shape, typeOver } from "./dom.js";
import { limit } from "./numbers.js";
import { carried } from "./prompt_layer.js";

const LARGE = 5; // steps of Page Up and Page Down

// Stretches after an edge was moved from one call to another: those that met at it still do.
export const moved = (stretches, from, to) =>
  stretches.map(({ first, last, ...rest }) => ({ ...rest, first: first === from ? to : first, last: last === from - 1 ? to - 1 : last }));

// `row`: the element that it is drawn in; `field`: finds the field in whose text its edges stand; none for a line that is only looked at.
const timeLine = (row, field) => {
  let line = null; // as the server told it last, and as it was moved since
  let text = ""; // in which the numbers of its edges stand
  let waiting = null; // what came while an edge was held
  let held = null;
  const track = make("div", { className: "time-track" });
  const ends = make("p", { className: "time-ends", "aria-hidden": "true" });
  const tip = make("p", { className: "time-tip", "aria-hidden": "true", hidden: true });
  const lanes = make("div", { className: "time-lanes" });
  row.append(track, lanes, ends, tip);

  const calls = () => line.stretches[line.stretches.length - 1].last + 1;
  const step = (call) => Math.floor(call / line.per) + 1;
  const numberOf = (edge, at) => (edge.share ? line.shares : line.calls)[at];
  const steps = ({ first, last }) => (step(first) === step(last) ? `Step ${step(first)}` : `Steps ${step(first)}–${step(last)}`);
  const share = (call) => `${(100 * call) / calls()}%`;

  const rest = () => void (tip.hidden = true);
  const tell = (told) => {
    tip.replaceChildren(make("b", { textContent: steps(told) }), ` ${told.whole || "nothing"}`);
    tip.hidden = false;
  };

  const stretch = (each, index) => {
    const button = make("button", { type: "button", className: "time-said", tabIndex: index ? -1 : 0, "aria-label": `${steps(each)}: ${each.whole || "nothing"}` });
    button.dataset.key = `stretch-${index}`;
    button.append(make("span", { textContent: each.says }));
    Object.assign(button.style, { left: share(each.first), width: share(Math.max(0, each.last + 1 - each.first)) });
    for (const come of ["pointerenter", "focus"]) button.addEventListener(come, () => tell(each));
    for (const go of ["pointerleave", "blur"]) button.addEventListener(go, rest);
    button.addEventListener("keydown", (event) => {
      const next = { ArrowRight: button.nextElementSibling, ArrowLeft: button.previousElementSibling }[event.key];
      if (!next?.classList.contains("time-said")) return;
      event.preventDefault();
      next.focus();
    });
    return button;
  };

  // Writes the number; `back`: what has the focus afterwards, else the field.
  const write = (edge, at, back) => {
    const own = field();
    if (!own) return draw(); // it stands in a part of the form that was never opened
    line.edges = carried(line.edges, text, own.value);
    text = own.value;
    const now = line.edges.find((each) => each.id === edge.id);
    const number = numberOf(edge, at);
    if (now && number !== own.value.slice(now.start, now.end)) {
      typeOver(own, now.start, now.end, number);
      const grown = number.length - (now.end - now.start);
      const shifted = (each) => (each.start >= now.end ? { ...each, start: each.start + grown, end: each.end + grown } : each);
      line = { ...line, stretches: moved(line.stretches, now.at, at), edges: line.edges.map((each) => (each === now ? { ...now, at, end: now.end + grown } : shifted(each))) };
      text = own.value;
    }
    draw(back ? `edge-${edge.id}` : "");
  };

  // A strength as a thin line below the steps, level through each of them.
  const lane = ({ sort, name, strengths }) => {
    const [least, most] = [Math.min(0, ...strengths), Math.max(0, ...strengths)];
    const level = (strength) => (1 - (strength - least) / (most - least || 1)).toFixed(4);
    const points = strengths.flatMap((strength, at) => [`${at},${level(strength)}`, `${at + 1},${level(strength)}`]).join(" ");
    const drawn = shape("svg", { viewBox: `0 0 ${strengths.length} 1`, preserveAspectRatio: "none", "aria-hidden": "true" }, shape("polyline", { points }));
    const range = `${+Math.min(...strengths).toFixed(3)} to ${+Math.max(...strengths).toFixed(3)}`;
    const says = sort === "Refiner" ? `from step ${strengths.indexOf(1) + 1}` : `strength ${range}`;
    const made = make("div", { className: "time-lane", role: "img", "aria-label": `${sort} ${name}, ${says}`, title: `${sort} ${name}: ${says}` }, drawn, make("span", { textContent: name }));
    made.dataset.sort = sort;
    return made;
  };

  const handle = (edge) => {
    const made = make("div", { className: "time-edge", role: "slider", tabIndex: 0, "aria-label": "Change at step", "aria-valuemin": 1, "aria-valuemax": step(calls() - 1) });
    made.dataset.key = `edge-${edge.id}`;
    const place = (at) => {
      made.style.left = share(at);
      made.dataset.number = numberOf(edge, at);
      made.setAttribute("aria-valuenow", String(Math.min(step(at), step(calls() - 1))));
      made.setAttribute("aria-valuetext", `Step ${step(at)}, written as ${numberOf(edge, at)}`);
    };
    place(edge.at);
    let at = edge.at;
    const under = (event) => {
      const { left, width } = track.getBoundingClientRect();
      return limit(Math.round(((event.clientX - left) / width) * calls()), 0, calls());
    };
    made.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      made.setPointerCapture(event.pointerId);
      made.classList.add("held");
      held = made;
    });
    made.addEventListener("pointermove", (event) => {
      if (held !== made) return;
      at = under(event);
      place(at);
      const bars = [...track.querySelectorAll(".time-said")];
      moved(line.stretches, edge.at, at).forEach((each, index) => Object.assign(bars[index].style, { left: share(each.first), width: share(Math.max(0, each.last + 1 - each.first)) }));
    });
    const release = (event) => {
      if (held !== made) return;
      held = null;
      if (event.type === "pointerup" && at !== edge.at) write(edge, at, event.pointerType === "touch");
      else draw();
      if (waiting) show(...waiting);
    };
    for (const end of ["pointerup", "pointercancel"]) made.addEventListener(end, release);
    made.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: LARGE, PageDown: -LARGE, Home: -calls(), End: calls() }[event.key];
      if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      // The first two calls say the same, so an edge between them is none.
      const wanted = limit(edge.at + by, 0, calls());
      write(edge, wanted === 1 ? (by > 0 ? Math.min(2, calls()) : 0) : wanted, true);
    });
    return made;
  };

  // `key`: of what has the focus, in this and in the next drawing.
  const draw = (key = track.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.key : "") => {
    tip.hidden = true;
    track.replaceChildren(...line.stretches.map(stretch), ...line.edges.map(handle));
    lanes.replaceChildren(...line.lanes.map(lane));
    ends.replaceChildren(make("span", { textContent: "Step 1" }), make("span", { textContent: String(step(calls() - 1)) }));
    if (key) find(`[data-key="${key}"]`, track)?.focus({ preventScroll: true });
  };

  const show = (next, read) => {
    if (held) return void (waiting = [next, read]);
    waiting = null;
    line = { ...next, edges: next.edges.map((edge, index) => ({ ...edge, id: index })) };
    text = read;
    draw();
  };
  return { show };
};

// `box`: the element that holds them; `field`: a field of the request -> the text field that shows it.
export const timeLines = (box, field = (name) => null) => {
  const rows = new Map(); // title -> the row and its line
  const rowOf = ({ title, field: name }) => {
    if (!rows.has(title)) {
      const row = make("div", { className: "time-line", role: "group", "aria-label": `${title} from step to step` }, make("p", { className: "time-title", textContent: title }));
      rows.set(title, { row, line: timeLine(row, () => field(row.dataset.field)) });
    }
    rows.get(title).row.dataset.field = name;
    return rows.get(title);
  };
  return {
    // `texts`: field -> its text as the server has read it.
    show(lines, texts = {}) {
      const shown = lines.map(rowOf);
      for (const { row } of rows.values()) if (!shown.some((each) => each.row === row) && !find(".held", row)) row.remove();
      shown.forEach(({ row, line }, at) => {
        if (box.children[at] !== row) box.insertBefore(row, box.children[at] ?? null);
        line.show(lines[at], texts[lines[at].field] ?? "");
      });
      box.hidden = !lines.length;
      box.dataset.several = lines.some(({ field: name }) => name !== "prompt") || lines.length > 1 ? "yes" : "no";
    },
  };
};
