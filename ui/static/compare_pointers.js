// Hands on the compared pictures: one finger or the mouse moves them, two fingers and the wheel zoom, a double click fits or shows 1:1.

// `acts` has pan(x, y), zoom(factor, at), toggle(at), press(down); points are {x, y} in the element that lies under the pointer.
export const follow = (room, acts) => {
  const held = new Map(); // pointers that are down: id -> where
  const point = (event) => ({ x: event.clientX, y: event.clientY });
  /** @param {any[]} points */
  const middle = ([one, other]) => ({ x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 });
  /** @param {any[]} points */
  const apart = ([one, other]) => Math.hypot(one.x - other.x, one.y - other.y);

  const move = (event) => {
    if (!held.has(event.pointerId)) return;
    const before = [...held.values()];
    const former = held.get(event.pointerId);
    const now = point(event);
    held.set(event.pointerId, now);
    const after = [...held.values()];
    if (held.size === 1) return acts.pan(now.x - former.x, now.y - former.y);
    if (held.size > 2) return;
    const [from, to] = [middle(before), middle(after)];
    acts.pan(to.x - from.x, to.y - from.y);
    if (apart(before)) acts.zoom(apart(after) / apart(before), to);
  };
  const leave = (event) => {
    if (!held.delete(event.pointerId)) return;
    if (!held.size) acts.press(false);
  };
  room.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    room.setPointerCapture(event.pointerId);
    held.set(event.pointerId, point(event));
    if (held.size === 1) acts.press(true);
  });
  room.addEventListener("pointermove", move);
  for (const name of ["pointerup", "pointercancel"]) room.addEventListener(name, leave);
  room.addEventListener("dblclick", (event) => acts.toggle(point(event)));
  const turn = (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 24 : 1;
    acts.zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0015)), point(event));
  };
  room.addEventListener("wheel", turn, { passive: false });
};

// A line that is dragged along the room. `to` hears of the share of the width.
export const drags = (line, room, to) => {
  line.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    line.setPointerCapture(event.pointerId);
  });
  line.addEventListener("dblclick", (event) => event.stopPropagation());
  line.addEventListener("pointermove", (event) => {
    if (!line.hasPointerCapture(event.pointerId)) return;
    const { left, width } = room.getBoundingClientRect();
    to((event.clientX - left) / width);
  });
};
