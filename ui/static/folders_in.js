// Folders of pictures that the owner brings in: one is begun, all are seen with how far they are, stopped, and gone on with.
import { emit, find, make, on, parts, write } from "./dom.js";

/** @typedef {import("./messages.d.ts").FolderNews} FolderNews */

const OFTEN = 700; // milliseconds between looks while a folder is read
const AWAY = "The server did not answer. See that Atelier still runs, then try again.";
const STATES = { reading: "Being read", stopped: "Stopped", done: "Brought in", failed: "Not finished" };

const number = (count) => count.toLocaleString("en");
const some = (count, one, more = one) => (count ? `${number(count)} ${count === 1 ? one : more}` : "");

/** @type {(folder: FolderNews) => string} */
export const saidOf = (folder) =>
  [
    some(folder.settings, "with settings"),
    some(folder.none, "without"),
    some(folder.no_picture, "that is no picture", "that are no pictures"),
    some(folder.unreadable, "unreadable"),
    some(folder.same, "the same as another", "the same as others"),
  ].filter(Boolean).join(" · ");

/** @type {(folder: FolderNews) => string} */
export const paceOf = (folder) => {
  if (folder.state !== "reading") return "";
  if (folder.silent) return "The folder does not answer at the moment; if it lies on another drive, that may be asleep.";
  if (!folder.speed || !folder.listed) return folder.listed ? "" : "Still looking for files…";
  const seconds = (folder.total - folder.done) / folder.speed;
  const left = seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : `${Math.round(seconds / 60)} min`;
  return `${folder.speed < 10 ? folder.speed.toFixed(1) : number(Math.round(folder.speed))} files a second, about ${left} left`;
};

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element }) => {
  const part = parts(element);
  const dialog = part("dialog");
  let timer = 0;
  let newest = 0; // of the looks: an answer to an earlier one is not shown
  let before = ""; // what was seen last

  // What the server answers; its sentence is shown when it refuses.
  const asked = async (address, body) => {
    const options = body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {};
    const answer = await fetch(address, options).catch(() => null);
    const told = answer ? await answer.json().catch(() => ({})) : {};
    if (answer?.ok) return told;
    write(part("problem"), told.message || AWAY);
    return null;
  };

  const act = async (way, { id, name }, words) => {
    write(part("problem"));
    if (await asked(`folders/${way}`, { id })) part("spoken").textContent = `${name}: ${words}`;
    await look();
    find(`[data-folder="${CSS.escape(id)}"] button`, part("list"))?.focus();
  };
  const button = (says, way, folder, words) => {
    const made = make("button", { type: "button", className: "quiet", textContent: says, "aria-label": `${says}: ${folder.name}` });
    made.addEventListener("click", () => act(way, folder, words));
    return made;
  };

  /** @param {FolderNews} folder */
  const row = (folder) => {
    const { done, total, state } = folder;
    const facts = [saidOf(folder), some(folder.unopened, "folder within could not be opened", "folders within could not be opened")];
    const bar = make("progress", { max: Math.max(1, total), "aria-label": `${folder.name}: ${number(done)} of ${number(total)}` });
    if (folder.listed || state !== "reading") bar.value = done;
    return make(
      "li",
      { "data-folder": folder.id, "data-state": state },
      make("div", { className: "folders-head" }, make("b", { textContent: folder.name, title: folder.name }), make("span", { className: "folders-state", textContent: `${STATES[state] ?? state}${folder.copies ? ", copied" : ""}` })),
      bar,
      make("p", { className: "folders-facts", textContent: [`${number(done)} of ${number(total)}`, ...facts].filter(Boolean).join(" · ") }),
      make("p", { className: "folders-pace", textContent: [paceOf(folder), folder.message].filter(Boolean).join(" ") }),
      state === "reading" ? button("Stop", "stop", folder, "stopped.") : state === "done" ? button("Look again", "go-on", folder, "is looked through again.") : button("Go on", "go-on", folder, "goes on."),
    );
  };

  const draw = (folders) => {
    const now = JSON.stringify(folders);
    if (now === before) return;
    before = now;
    const held = document.activeElement?.closest("[data-folder]")?.getAttribute("data-folder");
    part("list").replaceChildren(...folders.map(row));
    if (held && part("list").contains(document.activeElement) === false) find(`[data-folder="${CSS.escape(held)}"] button`, part("list"))?.focus();
  };

  const look = async () => {
    clearTimeout(timer);
    const mine = (newest += 1);
    const told = await asked("folders");
    if (mine !== newest || !dialog.open) return;
    if (told) draw(told.folders);
    if (told?.folders.some(({ state }) => state === "reading")) timer = window.setTimeout(look, OFTEN);
  };

  part("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    write(part("problem"));
    part("bring").disabled = true;
    const begun = await asked("folders", { folder: part("path").value, copy: part("copy").checked });
    part("bring").disabled = false;
    if (!begun) return part("path").focus();
    part("path").value = "";
    part("spoken").textContent = "The folder is being brought in. It goes on when this is closed.";
    look();
  });
  part("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => (clearTimeout(timer), emit("look")));
  on("folders", () => {
    write(part("problem"));
    before = "";
    if (!dialog.open) dialog.showModal();
    part("path").focus();
    look();
  });
};
