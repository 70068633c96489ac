// Jobs dragged to another place or lane, by mouse, pen and finger: a line says where it will stand.
import { findAll, make } from "./dom.js";

const FAR = 6; // pixels until a press is a drag

// `may` says whether a job can be moved; `begin` and `drop` hear of it: the id of the job before which it was put, or "", and the lane.
export const draggable = (room, { may, begin, drop }) => {
  let held = null; // { id, row, y, moved }
  const line = make("li", { className: "queue-line", "aria-hidden": "true" });

  const place = (y) => {
    const lists = findAll(".queue-list[data-lane]", room);
    const list = lists.findLast((each) => each.parentElement.getBoundingClientRect().top <= y) ?? lists[0];
    const rows = findAll(".queue-job", list).filter((row) => row !== held.row);
    const before = rows.find((row) => {
      const { top, height } = row.getBoundingClientRect();
      return y < top + height / 2;
    });
    return { list, before };
  };
  const show = (y) => {
    const { list, before } = place(y);
    if (before) before.before(line);
    else list.append(line);
  };
  const end = (event, kept) => {
    if (!held) return;
    const { id, row, moved } = held;
    const { list, before } = place(event.clientY);
    room.classList.remove("dragging");
    row.classList.remove("dragged");
    row.style.removeProperty("translate");
    line.remove();
    held = null;
    if (moved) drop(id, kept ? (before?.dataset.job ?? "") : "", kept ? list.dataset.lane : "");
  };

  room.addEventListener("pointerdown", (event) => {
    const row = event.target.closest(".queue-job");
    const grip = event.pointerType === "mouse" ? !event.target.closest("button") : event.target.closest(".queue-grip");
    if (!row || !grip || event.button || !may(row.dataset.job)) return;
    held = { id: row.dataset.job, row, y: event.clientY, moved: false };
  });
  room.addEventListener("pointermove", (event) => {
    if (!held) return;
    const by = event.clientY - held.y;
    if (!held.moved && Math.abs(by) < FAR) return;
    if (!held.moved) {
      held.moved = true;
      room.setPointerCapture(event.pointerId);
      room.classList.add("dragging");
      held.row.classList.add("dragged");
      begin(held.id);
    }
    held.row.style.translate = `0 ${by}px`;
    show(event.clientY);
  });
  room.addEventListener("pointerup", (event) => end(event, true));
  room.addEventListener("pointercancel", (event) => end(event, false));
  document.addEventListener("keydown", (event) => event.key === "Escape" && held?.moved && end({ clientY: held.y }, false));
};
