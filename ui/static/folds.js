// What is folded out stays so over a reload, in this browser. Gradio's own folds do not say whether they are open; here they do.

const KEY = "atelier.folds";
const FOLD = ".gr-accordion > button.label-wrap";
const read = () => {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY));
    return kept && typeof kept === "object" && !Array.isArray(kept) ? kept : {};
  } catch {
    return {};
  }
};
const kept = read();

// What was kept under a name, and `otherwise` if nothing was.
export const was = (name, otherwise) => kept[name] ?? otherwise;
export const keep = (name, open) => {
  kept[name] = open;
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...read(), [name]: open }));
  } catch {
    // A browser that keeps nothing shows the folds as they come.
  }
};
// A <details> that is as it was left, and is remembered.
export const details = (made, name, open = false) => {
  made.open = was(name, open);
  made.addEventListener("toggle", () => keep(name, made.open));
  return made;
};

// ---- Gradio's ------------------------------------------------------------------------------------------------------
const known = new WeakSet();
const isOpen = (button) => button.classList.contains("open");
const say = (button) => button.setAttribute("aria-expanded", String(isOpen(button)));
// A fold that has just been made hears no click yet.
const bring = (button, wanted, tries = 40) => {
  if (isOpen(button) === wanted || !tries || !button.isConnected) return;
  button.click();
  setTimeout(() => bring(button, wanted, tries - 1), 150);
};
const meet = (button) => {
  known.add(button);
  const name = button.parentElement.id;
  say(button);
  if (name) bring(button, was(name, isOpen(button)));
  new MutationObserver(() => say(button)).observe(button, { attributeFilter: ["class"] });
  button.addEventListener("click", ({ isTrusted }) => {
    if (!isTrusted) return;
    setTimeout(() => name && keep(name, isOpen(button)));
    requestAnimationFrame(() => requestAnimationFrame(() => isOpen(button) && button.parentElement.scrollIntoView({ block: "nearest" }))); // what was at the edge is seen
  });
};
// The head of a note that pops up says that it is a button, and holds one: it is neither pressed nor reached here.
const mend = () => {
  for (const button of document.querySelectorAll(FOLD)) if (!known.has(button)) meet(button);
  for (const head of document.querySelectorAll(".toast-header[role]")) [head.removeAttribute("role"), head.removeAttribute("tabindex")];
};
new MutationObserver(mend).observe(document.documentElement, { childList: true, subtree: true });
