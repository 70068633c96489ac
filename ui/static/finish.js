// The finish's page of the panel: steps made of what the tabs hold, saved under a name, and applied to the picture on the surface.
import { notify, snapshot } from "./desk.js";
import { find, findAll, later, make, on, parts, write } from "./dom.js";
import { row } from "./finish_step.js";
import { all, apply, ask, load, plain, stepOf } from "./finishes.js";
import * as folds from "./folds.js";

/** @typedef {import("./messages.d.ts").FinishStepLine} Step */
/** @typedef {{ id: string, name: string, starts: string, steps: Step[] }} Draft */
const SOON = 200; // milliseconds until the sizes are asked for
const KEPT = "finish-draft"; // what is being made, over a reload
/** @type {Draft} */
const NEW = { id: "", name: "", starts: "", steps: [] };

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, trigger, props }) => {
  const part = parts(element);
  /** @type {Draft} */
  let draft = { ...NEW, ...folds.was(KEPT, {}) };
  let shown = ""; // the id of the picture on the surface
  let busy = false;

  const speak = (words) => (part("spoken").textContent = words);
  const set = (changes) => {
    draft = { ...draft, ...changes };
    folds.keep(KEPT, draft);
    draw();
    plan();
  };
  // What the server refuses is said here; of several presses the first counts.
  const tried = async (act) => {
    if (busy) return;
    busy = true;
    write(part("problem"));
    draw();
    try {
      await act();
    } catch (problem) {
      write(part("problem"), problem.message);
    }
    busy = false;
    draw();
  };

  // ---- steps -------------------------------------------------------------------------------------------------------------------

  const add = (kind) => tried(async () => {
    set({ steps: [...draft.steps, await stepOf(kind)] });
    speak(`${props.kinds[kind]} is step ${draft.steps.length}.`);
  });
  const change = (at, changes) => set({ steps: draft.steps.map((step, place) => (place === at ? { ...step, ...changes } : step)) });
  const move = (at, by) => {
    const steps = [...draft.steps];
    [steps[at], steps[at + by]] = [steps[at + by], steps[at]];
    set({ steps });
  };
  const acts = (step, at) => ({
    change: (changes) => change(at, changes),
    remove: () => set({ steps: draft.steps.filter((_, place) => place !== at) }),
    move: (by) => move(at, by),
    show: () => (snapshot(step.kind), trigger("fill", { request: step.request })),
    take: () => tried(async () => {
      const { own, keep } = draft.steps[at];
      change(at, { ...(await stepOf(step.kind)), own, keep });
      speak(`Step ${at + 1} has the settings of the tab.`);
    }),
  });

  // The sizes that come of the picture on the surface.
  const plan = later(SOON, async () => {
    const asked = [shown, JSON.stringify(draft.steps.map(plain))];
    const told = shown && draft.steps.length ? await ask("/plan", { picture: shown, steps: draft.steps.map(plain) }).catch(() => null) : null;
    if (asked[0] === shown && asked[1] === JSON.stringify(draft.steps.map(plain))) write(part("plan"), told?.message ?? "");
  });

  // ---- what is saved -----------------------------------------------------------------------------------------------------------

  const saved = () => all().find(({ id }) => id === draft.id);
  const asSaved = () => {
    const now = saved();
    return !!now && now.name === draft.name.trim() && now.starts === draft.starts && JSON.stringify(now.steps.map(plain)) === JSON.stringify(draft.steps.map(plain));
  };
  const save = () => tried(async () => {
    const { id } = await ask("", { id: saved() ? draft.id : "", name: draft.name, starts: draft.starts, steps: draft.steps.map(plain) });
    const now = (await load()).find((each) => each.id === id);
    if (now) set({ id, name: now.name, starts: now.starts, steps: now.steps });
    speak("The finish is saved.");
  });
  const remove = () => tried(async () => {
    const gone = saved();
    if (!gone) return set(NEW);
    await ask("/delete", { id: gone.id });
    await load();
    set(NEW);
    if (!gone.note) notify(`The finish “${gone.name}” is deleted.`, { says: "Undo", does: () => restore(gone) });
  });
  const restore = async ({ name, starts, steps }) => {
    const made = await ask("", { name, starts, steps: steps.map(plain) }).catch((problem) => notify(problem.message));
    await load();
    if (made) set({ id: made.id, name, starts, steps });
  };
  const open = (id) => {
    const { name, starts, steps } = all().find((each) => each.id === id) ?? NEW;
    write(part("problem"));
    set({ id, name, starts, steps });
  };

  // ---- what is shown -----------------------------------------------------------------------------------------------------------

  const drawList = () => {
    const lines = all().map(({ id, name }) => make("option", { value: id, textContent: name }));
    const unsaved = saved() ? [] : [make("option", { value: "", textContent: "Not saved yet" })];
    part("list").replaceChildren(...unsaved, ...lines);
    part("list").value = saved() ? draft.id : "";
    part("which").hidden = !all().length && !draft.steps.length;
    part("new").disabled = !saved() && !draft.steps.length;
  };
  const draw = () => {
    const { steps, name, starts } = draft;
    const held = element.contains(document.activeElement) && document.activeElement?.closest(".finish-step")?.getAttribute("aria-label");
    drawList();
    write(part("note"), saved()?.note ?? "");
    part("steps").replaceChildren(...steps.map((step, at) => row(step, { at, count: steps.length }, acts(step, at))));
    if (held) find(`.finish-step[aria-label="${CSS.escape(held)}"] button`, element)?.focus({ preventScroll: true });
    part("empty").hidden = steps.length > 0 || !!saved()?.note;
    part("add").hidden = !!saved()?.note;
    part("kept").hidden = !steps.length;
    if (part("name").value !== name) part("name").value = name;
    part("starts").value = starts;
    part("once").hidden = !starts;
    for (const button of findAll(".finish-add button", element)) button.disabled = busy;
    part("save").disabled = busy || asSaved();
    part("save").textContent = asSaved() ? "Saved" : "Save";
    part("apply").disabled = busy || !shown;
  };

  // ---- joined ------------------------------------------------------------------------------------------------------------------

  part("add").append(...Object.entries(props.kinds).map(([kind, title]) => {
    const button = make("button", { type: "button", className: "quiet", title: `With the settings that the tab ${title} has now` }, make("i", { className: "icon icon-plus" }), make("span", { textContent: title }));
    button.addEventListener("click", () => add(kind));
    return button;
  }));
  part("list").addEventListener("change", () => open(part("list").value));
  part("new").addEventListener("click", () => open(""));
  part("delete").addEventListener("click", remove);
  part("name").addEventListener("input", () => set({ name: part("name").value }));
  part("starts").addEventListener("change", () => set({ starts: part("starts").value }));
  part("save").addEventListener("click", save);
  part("apply").addEventListener("click", () => tried(async () => {
    const name = draft.name.trim() || "Finish";
    await apply([shown], asSaved() ? { id: draft.id } : { steps: draft.steps }, name);
  }));
  on("picture", ({ id }) => ((shown = id), draw(), plan()));
  on("finishes", draw);
  load().catch(() => {});
  draw();
};
