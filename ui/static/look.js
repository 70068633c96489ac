// Light or dark: the system decides until somebody presses the toggle; then this browser remembers.

const KEY = "atelier.look";
const system = matchMedia("(prefers-color-scheme: dark)");
const read = () => {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
};
const wanted = () => (read() ? read() === "dark" : system.matches);
const apply = () => {
  if (document.body && document.body.classList.contains("dark") !== wanted()) document.body.classList.toggle("dark", wanted());
  document.documentElement.style.colorScheme = wanted() ? "dark" : "light";
};
export const toggleLook = () => {
  const next = wanted() ? "light" : "dark";
  try {
    if ((next === "dark") === system.matches) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
  } catch {
    // A browser that keeps nothing follows the system.
  }
  apply();
};
const start = () => {
  if (/[?&]__theme=/.test(location.search)) return; // the address decides
  apply();
  new MutationObserver(apply).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  system.addEventListener("change", apply);
};
if (document.body) start();
else document.addEventListener("DOMContentLoaded", start);
