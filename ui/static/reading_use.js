// A picture that was read is handed to a tab as if it had been dropped on what takes pictures there.
import { find, findAll, pause } from "./dom.js";
import * as page from "./page.js";

const PATIENCE = 10_000; // milliseconds in which a tab is built

const zoneOf = (kind) => {
  const zone = find(`#tab-${kind} :is(.surface-canvas, .source-room, .depth-room)`);
  const isReady = zone?.getClientRects().length && page.forms[kind] && (page.canvases[kind] || !zone.matches(".surface-canvas"));
  return isReady ? zone : null;
};

// Whether the tab took it.
export const hand = async (kind, file) => {
  findAll('#tabs > .tab-wrapper button[role="tab"]').find((tab) => tab.id === `tab-${kind}-button`)?.click();
  const end = Date.now() + PATIENCE;
  while (!zoneOf(kind) && Date.now() < end) await pause(50);
  const zone = zoneOf(kind);
  if (!zone) return false;
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([file], file.name || "picture.png", { type: file.type }));
  zone.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer }));
  return true;
};
