// Jobs dragged to another place or lane, by mouse, pen and finger: a line says where it will stand.
import { findAll, make } from "./dom.js";

const FAR = 6; // pixels until a press is a drag
const EDGE = 44; // pixels from an edge of what is seen of the list, in which it scrolls on
const FASTEST = 14; // pixels a frame

// `may` says whether a job can be moved; `begin` and `drop` hear of it: the id of the job before which it was put, or "", and the lane.
export const draggable = (room, { may, begin, drop }) => {
  let held = null; // { id, row, y, moved, now, box, scrolled }
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
  // What scrolls the list: the first thing around it that holds more than it shows.
  const scroller = () => {
    for (let each = room; each; each = each.parentElement) {
      if (each.scrollHeight > each.clientHeight && /auto|scroll/.test(getComputedStyle(each).overflowY)) return each;
    }
    return document.scrollingElement;
  };
  const follow = () => {
    held.row.style.translate = `0 ${held.now - held.y + held.box.scrollTop - held.scrolled}px`;
    show(held.now);
  };
  // Near an edge the list goes on beneath the one that is held, the faster the nearer.
  const glide = () => {
    if (!held?.moved) return;
    const { top, bottom } = held.box.getBoundingClientRect();
    const [first, last] = [Math.max(top, 0), Math.min(bottom, innerHeight)];
    const near = Math.min(0, held.now - first - EDGE) + Math.max(0, held.now - last + EDGE);
    const before = held.box.scrollTop;
    if (near) held.box.scrollTop += Math.sign(near) * Math.ceil((Math.min(Math.abs(near), EDGE) / EDGE) * FASTEST);
    if (held.box.scrollTop !== before) follow();
    requestAnimationFrame(glide);
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
    const box = scroller();
    held = { id: row.dataset.job, row, y: event.clientY, now: event.clientY, moved: false, box, scrolled: box.scrollTop };
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
      requestAnimationFrame(glide);
    }
    held.now = event.clientY;
    follow();
  });
  room.addEventListener("wheel", () => held?.moved && requestAnimationFrame(() => held && follow()), { passive: true });
  room.addEventListener("pointerup", (event) => end(event, true));
  room.addEventListener("pointercancel", (event) => end(event, false));
  document.addEventListener("keydown", (event) => event.key === "Escape" && held?.moved && end({ clientY: held.y }, false));
};
