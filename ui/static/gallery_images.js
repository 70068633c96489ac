// The small pictures of the grid: fetched a few at a time, those next to what is looked at first, and fewer while the grid moves.

const AT_ONCE = 6; // pictures on their way
const A_FRAME = 3; // that are begun in one frame while the grid moves; one, if that came late
const LATE = 25; // milliseconds since the last frame
const FAST = 2; // pixels a millisecond, three screens a second, from which none is begun, as nobody sees them

// `space` holds the images; `middle()`: the height of the grid that is looked at.
export const images = (space, middle) => {
  const wanted = new Map(); // image -> {address, y} that waits for its turn
  const flying = new Set();
  let before = 0; // when the last frame was

  const begin = (most) => {
    const free = Math.min(most, AT_ONCE - flying.size, wanted.size);
    if (free <= 0) return;
    const at = middle();
    const near = [...wanted].toSorted(([, one], [, other]) => Math.abs(one.y - at) - Math.abs(other.y - at));
    for (const [image, { address }] of near.slice(0, free)) {
      wanted.delete(image);
      flying.add(image);
      image.src = address;
    }
  };
  const ended = ({ target }) => flying.delete(target) && before === 0 && begin(1);
  for (const name of ["load", "error"]) space.addEventListener(name, ended, true);
  return {
    want: (image, address, y) => wanted.set(image, { address, y }),
    drop: (image) => {
      wanted.delete(image);
      flying.delete(image);
      image.removeAttribute("src");
    },
    // A frame of a grid that has moved by so many pixels.
    frame: (now, by) => {
      const time = before > 0 ? now - before : LATE;
      before = now;
      if (by < FAST * time) begin(time > LATE ? 1 : A_FRAME);
    },
    rest: () => {
      before = 0;
      begin(AT_ONCE);
    },
  };
};
