// Guidance, in a row that was opened: what it costs is asked of the server when the form has changed, and only while the row is open.
import { later, make, on, parts } from "./dom.js";
import * as page from "./page.js";

const shot = ([source, words]) => make("figure", {}, make("img", { src: source, alt: "", width: 96, height: 96 }), make("figcaption", { textContent: words }));

/** @type {(element: HTMLElement, kind: string, server: Record<string, (asked: object) => Promise<import("./messages.d.ts").GuidanceCost>>) => void} */
export const seen = (element, kind, server) => {
  const part = parts(element);
  const shots = make("div", { className: "guiding-shots" });
  (element.closest(".row-fold .column") ?? element).append(shots); // below the fields
  const ask = later(150, async () => {
    const isOpen = element.offsetParent !== null;
    const told = isOpen && page.forms[kind] ? await server.cost({ values: page.forms[kind] }).catch(() => null) : null;
    if (!told) return;
    part("cost").textContent = told.says;
    if (!shots.childElementCount) shots.append(...told.shots.map(shot));
  });
  new IntersectionObserver(() => ask()).observe(element);
  on("form", ({ kind: whose }) => whose === kind && ask());
};
