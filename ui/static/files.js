// Files that people hand over: dropped, pasted, or chosen with a button.
import { typing } from "./keyboard.js";

// The picture in what was dropped or pasted; a picture of this page may come as its address.
export const fileOf = async (data) => {
  const file = [...data.files].find((each) => !each.type || each.type.startsWith("image/"));
  const address = data.getData("text/uri-list").split("\n")[0];
  if (file || !address || new URL(address, location.href).origin !== location.origin) return file ?? null;
  const answer = await fetch(address).catch(() => null);
  const blob = answer?.ok ? await answer.blob() : null;
  return blob?.type.startsWith("image/") ? blob : null;
};

// Files that are dropped on `room`, or pasted while it is `shown` and no other dialog lies above it, go to `open`.
export const receive = (room, shown, open, fail) => {
  const lit = (over) => room.classList.toggle("over", over);
  room.addEventListener("dragover", (event) => {
    if (!["Files", "text/uri-list"].some((type) => event.dataTransfer?.types.includes(type))) return;
    event.preventDefault();
    lit(true);
  });
  room.addEventListener("dragleave", (event) => lit(room.contains(event.relatedTarget)));
  room.addEventListener("drop", async (event) => {
    event.preventDefault();
    lit(false);
    const file = await fileOf(event.dataTransfer);
    if (file) open(file);
    else fail("This is no picture that a browser can hand over. Save it first, then drop the file.");
  });
  window.addEventListener("paste", async (event) => {
    const above = document.querySelector("dialog[open]");
    if (!shown() || (above && above !== room) || typing(event.target) || !event.clipboardData?.files.length) return;
    event.preventDefault(); // it is taken: nothing else need look at it
    const file = await fileOf(event.clipboardData);
    if (file) open(file);
  });
};

// A button that asks for a file.
export const chooses = (input, open) =>
  input.addEventListener("change", () => {
    const [file] = input.files;
    input.value = "";
    if (file) open(file);
  });
