// The row of tabs. Where it is wider than the screen it is moved sideways: the open tab comes into view, and the edges say where there are more.
// The page is told which tab is open.
import { emit } from "./dom.js";
import { open } from "./page.js";

const ROW = "#tabs > .tab-wrapper .tab-container:not(.visually-hidden)";
const FIND = 100; // milliseconds between looks for the row while the page is built

const edges = (row) => {
  const right = row.scrollWidth - row.clientWidth - row.scrollLeft;
  row.dataset.more = [row.scrollLeft > 2 && "left", right > 2 && "right"].filter(Boolean).join(" ");
};
const bring = (row) => {
  const open = row.querySelector('[role="tab"][aria-selected="true"]');
  const tab = open?.getClientRects().length ? open : row.querySelector("#tab-enlarge-button"); // a way of enlarging has no place of its own
  if (!tab) return;
  const [place, frame] = [tab.getBoundingClientRect(), row.getBoundingClientRect()];
  row.scrollTo({ left: row.scrollLeft + place.left - frame.left - (frame.width - place.width) / 2 });
};
const tell = (row) => {
  const tab = row.querySelector('[role="tab"][aria-selected="true"]')?.id.match(/^tab-(.+)-button$/)?.[1] ?? open.tab;
  const canvas = !!document.querySelector(`#tab-${tab} .canvas-side`);
  document.getElementById("room").toggleAttribute("data-whole", !!document.querySelector(`#tab-${tab} .whole-side`)); // no style asks :has(), which is looked up anew with each square of the library
  if (tab === open.tab && canvas === open.canvas) return;
  Object.assign(open, { tab, canvas });
  document.getElementById("room").dataset.tab = tab;
  emit("tab", open);
};
const begin = () => {
  const row = document.querySelector(ROW);
  if (!row) return setTimeout(begin, FIND);
  row.addEventListener("scroll", () => edges(row), { passive: true });
  new ResizeObserver(() => (bring(row), edges(row))).observe(row);
  new MutationObserver(() => (bring(row), edges(row), tell(row))).observe(row, { subtree: true, childList: true, attributeFilter: ["aria-selected"] });
  new MutationObserver(() => tell(row)).observe(document.getElementById("tabs"), { childList: true, subtree: true }); // a tab is filled when it is first opened
  tell(row);
};
begin();
