// Modules that nobody needs before they do something: they come as one script, with a style sheet, when the first of them is wanted.
import { notify } from "./desk.js";
import { make } from "./dom.js";

const styled = new Map();
const style = (place) => {
  if (!styled.has(place)) {
    const link = make("link", { rel: "stylesheet", href: place });
    styled.set(place, new Promise((done) => (link.onload = link.onerror = done)));
    document.head.append(link);
  }
  return styled.get(place);
};

// The module of this name.
/** @type {(name: string) => Promise<any>} */
export const wanted = async (name) => {
  const { later, laterStyles } = document.getElementById("atelier-script")?.dataset ?? {};
  if (!later) return import(`./${name}.js`);
  const [modules] = await Promise.all([import(new URL(later, document.baseURI).href), style(laterStyles)]);
  return modules[name];
};

// A component whose script comes with it.
/** @type {(name: string, given: import("./page_types.d.ts").Given) => Promise<void>} */
export const built = (name, given) => wanted(name).then((module) => module.build(given), () => notify("The server did not answer. See that Atelier still runs, then load the page again."));
