// What hands do on the paint canvas: pointers that paint, move and zoom; the handles of an outpainting's frame; results to choose
// from; the brush; keys and files.
window.atelier = window.atelier || {};
(() => {
  const STEP = 8; // picture pixels to which the sides of the frame snap
  const FARTHEST = 2048; // picture pixels on each side
  const THUMB = 72; // CSS pixels

  const limit = (value, least, most) => Math.min(most, Math.max(least, value));

  // ---- pointers: one paints, two fingers move and zoom ---------------------------------------------------------------------

  class Pointers {
    // `acts`: takes(event) tells whether this press paints, start(event), on(event), end(cancelled), show(event or null): the cursor.
    constructor(view, acts) {
      Object.assign(this, { view, acts, fingers: new Map(), pinch: null, drag: null, painting: null, spacing: false, clicked: false });
      const { canvas } = view;
      canvas.addEventListener("pointerdown", (event) => this.down(event));
      canvas.addEventListener("pointermove", (event) => this.move(event));
      canvas.addEventListener("pointerup", (event) => this.up(event, false));
      canvas.addEventListener("pointercancel", (event) => this.up(event, true));
      canvas.addEventListener("pointerleave", () => this.acts.show(null));
      canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    }

    down(event) {
      this.view.canvas.focus({ preventScroll: true });
      this.clicked = true;
      if (!this.view.picture) return;
      this.capture(event);
      if (event.pointerType === "touch" && this.touches(event)) return;
      const moves = event.button === 1 || (event.button === 0 && (this.spacing || event.shiftKey || !this.acts.takes(event)));
      if (moves) {
        event.preventDefault();
        this.drag = { id: event.pointerId, ...this.view.device(event) };
      } else if ((event.button === 0 || event.button === 5) && this.painting === null) {
        this.painting = event.pointerId;
        this.acts.start(event);
      }
    }

    capture(event) {
      try {
        this.view.canvas.setPointerCapture(event.pointerId);
      } catch {
        // A pointer that is gone already.
      }
    }

    // A second finger takes back what the first one painted.
    touches(event) {
      this.fingers.set(event.pointerId, this.view.device(event));
      if (this.fingers.size < 2) return false;
      this.stop(true);
      this.drag = null;
      if (this.fingers.size === 2) this.pinch = this.spread();
      return true;
    }

    spread() {
      const [one, other] = [...this.fingers.values()];
      return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2, distance: Math.hypot(one.x - other.x, one.y - other.y) };
    }

    move(event) {
      this.acts.show(event.pointerType === "touch" || this.drag || this.spacing ? null : event);
      const now = this.view.device(event);
      if (this.fingers.has(event.pointerId)) this.fingers.set(event.pointerId, now);
      if (this.pinch) this.squeeze();
      else if (this.drag?.id === event.pointerId) {
        this.view.pan(now.x - this.drag.x, now.y - this.drag.y);
        Object.assign(this.drag, now);
      } else if (this.painting === event.pointerId) {
        const events = event.getCoalescedEvents?.() ?? [];
        for (const each of events.length ? events : [event]) this.acts.on(each);
      }
    }

    squeeze() {
      if (this.fingers.size < 2) return;
      const next = this.spread();
      this.view.pan(next.x - this.pinch.x, next.y - this.pinch.y);
      this.view.zoom(next.distance / (this.pinch.distance || 1), next.x, next.y);
      this.pinch = next;
    }

    up(event, cancelled) {
      this.fingers.delete(event.pointerId);
      if (!this.fingers.size) this.pinch = null;
      if (this.drag?.id === event.pointerId) this.drag = null;
      if (this.painting === event.pointerId) this.stop(cancelled);
    }

    stop(cancelled) {
      if (this.painting === null) return;
      this.painting = null;
      this.acts.end(cancelled);
    }

    wheel(event) {
      if (!this.view.picture || !(event.ctrlKey || this.clicked)) return;
      event.preventDefault();
      const { x, y } = this.view.device(event);
      const lines = event.deltaMode === 1 ? 24 : 1;
      this.view.zoom(2 ** (-limit(event.deltaY * lines, -240, 240) / 240), x, y);
    }
  }

  // ---- the frame of an outpainting: eight handles --------------------------------------------------------------------------

  const HANDLES = ["top left", "top", "top right", "right", "bottom right", "bottom", "bottom left", "left"];
  const OUTWARD = { left: ["x", -1], right: ["x", 1], top: ["y", -1], bottom: ["y", 1] };
  const ARROWS = { ArrowLeft: ["x", -1], ArrowRight: ["x", 1], ArrowUp: ["y", -1], ArrowDown: ["y", 1] };

  class Frame {
    // `settle` hears {left, right, top, bottom} when a handle is let go.
    constructor(view, holder, most, settle) {
      Object.assign(this, { view, most, settle, sides: { left: 0, right: 0, top: 0, bottom: 0 }, drag: null });
      this.handles = HANDLES.map((name) => this.handle(name));
      holder.replaceChildren(...this.handles);
    }

    handle(name) {
      const button = Object.assign(document.createElement("button"), { type: "button", title: `Drag to extend the picture: ${name}` });
      button.setAttribute("aria-label", `Extend: ${name}. Arrow keys change it by ${STEP} pixels.`);
      button.dataset.handle = name;
      button.addEventListener("pointerdown", (event) => this.take(event, name));
      button.addEventListener("pointermove", (event) => this.move(event));
      for (const end of ["pointerup", "pointercancel"]) button.addEventListener(end, () => this.letGo());
      button.addEventListener("keydown", (event) => this.key(event, name));
      return button;
    }

    take(event, name) {
      if (event.button) return;
      event.stopPropagation();
      event.target.setPointerCapture(event.pointerId);
      this.drag = { name, x: event.clientX, y: event.clientY, start: { ...this.sides }, scale: this.view.scale / this.view.dpr };
    }

    move(event) {
      if (!this.drag) return;
      const by = { x: (event.clientX - this.drag.x) / this.drag.scale, y: (event.clientY - this.drag.y) / this.drag.scale };
      this.stretch(this.drag.name, this.drag.start, by);
    }

    letGo() {
      const moved = this.drag && JSON.stringify(this.drag.start) !== JSON.stringify(this.sides);
      this.drag = null;
      if (moved) this.settle({ ...this.sides });
    }

    key(event, name) {
      const [axis, way] = ARROWS[event.key] ?? [];
      if (!axis || !name.split(" ").some((side) => OUTWARD[side][0] === axis)) return;
      event.preventDefault();
      event.stopPropagation();
      const before = JSON.stringify(this.sides);
      this.stretch(name, { ...this.sides }, { x: 0, y: 0, [axis]: way * (event.shiftKey ? 8 * STEP : STEP) });
      if (JSON.stringify(this.sides) !== before) this.settle({ ...this.sides });
    }

    stretch(name, start, by) {
      for (const side of name.split(" ")) {
        const [axis, way] = OUTWARD[side];
        this.sides[side] = this.snapped(side, start[side] + way * by[axis]);
      }
      this.show();
    }

    snapped(side, length) {
      const { width, height } = this.view.picture;
      const across = side === "left" || side === "right";
      const other = this.sides[{ left: "right", right: "left", top: "bottom", bottom: "top" }[side]];
      const room = Math.max(0, this.most - (across ? width : height) - other);
      return limit(Math.round(length / STEP) * STEP, 0, Math.min(FARTHEST, Math.floor(room / STEP) * STEP));
    }

    set(values) {
      if (this.drag) return;
      const next = {};
      for (const side of Object.keys(OUTWARD)) next[side] = limit(Math.round(Number(values[side]) || 0), 0, FARTHEST);
      const same = JSON.stringify(next) === JSON.stringify(this.sides);
      this.sides = next;
      this.view.frame = this.sides;
      if (!same && this.view.fitted) this.view.fit();
      else this.show();
    }

    show() {
      this.view.frame = this.sides;
      this.view.ask();
      this.place();
    }

    place() {
      const { view } = this;
      if (!view.picture) return;
      const { left, top, width, height } = view.extent();
      const at = (start, from, length, share, room) => limit((start + (from + length * share) * view.scale) / view.dpr, 12, room / view.dpr - 12);
      const share = (name, low, high) => (name.includes(low) ? 0 : name.includes(high) ? 1 : 0.5);
      for (const button of this.handles) {
        const name = button.dataset.handle;
        button.style.left = `${at(view.x, left, width, share(name, "left", "right"), view.width)}px`;
        button.style.top = `${at(view.y, top, height, share(name, "top", "bottom"), view.height)}px`;
      }
    }
  }

  // ---- results to choose from ----------------------------------------------------------------------------------------------

  class Choices {
    // `parts`: the elements choices, thumbs, keep, original, dismiss; `fail` hears why a result could not be kept.
    constructor(view, parts, fail) {
      Object.assign(this, { view, parts, fail, list: [], chosen: -1 });
      parts.keep.addEventListener("click", () => this.keep());
      parts.original.addEventListener("click", () => this.choose(-1));
      parts.dismiss.addEventListener("click", () => this.show([]));
    }

    show(list) {
      if (!list.length && !this.list.length) return;
      this.list = list.map((item) => ({ ...item, image: Object.assign(new Image(), { src: item.src }) }));
      this.parts.choices.hidden = !list.length;
      this.parts.thumbs.replaceChildren(...this.list.map((item, index) => this.thumb(item, index)));
      this.choose(list.length ? 0 : -1);
      if (this.view.frame) this.view.fit(); // all of what was continued
    }

    thumb(item, index) {
      const dpr = window.devicePixelRatio || 1;
      const canvas = Object.assign(document.createElement("canvas"), { width: THUMB * dpr, height: THUMB * dpr });
      const button = Object.assign(document.createElement("button"), { type: "button", title: item.label ?? "" });
      button.setAttribute("aria-label", item.label || `Result ${index + 1}`);
      button.append(canvas);
      button.addEventListener("click", () => this.choose(index));
      item.image.decode().then(() => this.crop(item.image, canvas)).catch(() => {});
      return button;
    }

    // The part that was drawn anew, else the whole result.
    crop(image, canvas) {
      const { left, top, right, bottom } = this.placed(image);
      const [low, high, far, deep] = this.view.box ?? [left, top, right, bottom];
      const zoom = { x: image.naturalWidth / (right - left), y: image.naturalHeight / (bottom - top) };
      const source = [(low - left) * zoom.x, (high - top) * zoom.y, (far - low) * zoom.x, (deep - high) * zoom.y];
      const fit = Math.min(canvas.width / source[2], canvas.height / source[3]);
      const [width, height] = [source[2] * fit, source[3] * fit];
      const context = canvas.getContext("2d");
      context.imageSmoothingQuality = "high";
      context.drawImage(image, ...source, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
    }

    // Where a result lies, in picture pixels: over the picture, or over the picture with its frame.
    placed({ naturalWidth, naturalHeight }) {
      const { width, height } = this.view.picture ?? { width: naturalWidth, height: naturalHeight };
      if (this.view.picture && this.view.frame) {
        const outer = this.view.extent();
        const extended = Math.abs(naturalWidth / naturalHeight - outer.width / outer.height) < 0.01;
        if (extended) return { left: outer.left, top: outer.top, right: outer.left + outer.width, bottom: outer.top + outer.height };
      }
      const fit = Math.min(width / naturalWidth, height / naturalHeight);
      const close = Math.abs(naturalWidth / naturalHeight / (width / height) - 1) < 0.02;
      const [across, up] = close ? [width, height] : [naturalWidth * fit, naturalHeight * fit];
      const [left, top] = [(width - across) / 2, (height - up) / 2];
      return { left, top, right: left + across, bottom: top + up };
    }

    async choose(index) {
      if (index === this.chosen && index < 0) return;
      this.chosen = index;
      [...this.parts.thumbs.children].forEach((button, place) => button.setAttribute("aria-pressed", String(place === index)));
      this.parts.keep.disabled = this.parts.original.disabled = index < 0;
      const item = this.list[index];
      if (!item) return this.present(null);
      await item.image.decode().catch(() => {});
      if (this.list[this.chosen] === item && item.image.naturalWidth) this.present({ image: item.image, ...this.placed(item.image) });
    }

    present(candidate) {
      this.view.candidate = candidate;
      this.view.redraw();
    }

    // The next or the former one; true when there was something to turn to.
    turn(by) {
      if (!this.list.length) return false;
      this.choose((Math.max(this.chosen, by < 0 ? 0 : -1) + by + this.list.length) % this.list.length);
      return true;
    }

    async keep() {
      const item = this.list[this.chosen];
      if (!item) return;
      this.parts.keep.disabled = true;
      try {
        await item.keep();
        this.show([]);
      } catch (problem) {
        this.parts.keep.disabled = false;
        this.fail(problem.message);
      }
    }
  }

  // ---- the brush and its controls ------------------------------------------------------------------------------------------

  const SIZE = 512; // the largest brush, in picture pixels

  class Brush {
    constructor(parts, changed) {
      Object.assign(this, { parts, changed, recent: [] });
      parts.size.addEventListener("change", () => this.setSize(Number(parts.size.value)));
      parts["size-range"].addEventListener("input", () => this.setSize(SIZE ** (parts["size-range"].value / 100)));
      parts.hardness.addEventListener("input", () => this.setHardness(Number(parts.hardness.value)));
      parts.color.addEventListener("input", () => this.setColor(parts.color.value));
      this.setErase(false);
      this.setPressure(true);
      this.setColor("#c4603a");
      this.setHardness(80);
      this.setSize(48);
      this.chosen = false;
    }

    // Until somebody chooses a size, the brush suits the picture.
    suit({ width, height }) {
      if (this.chosen) return;
      this.setSize(Math.max(width, height) / 10);
      this.chosen = false;
    }

    // Of a pen, the pressure counts.
    radius({ pointerType, pressure }) {
      return (this.size / 2) * (pointerType === "pen" && this.pressure ? 0.2 + 0.8 * pressure : 1);
    }

    setSize(size) {
      this.size = limit(Math.round(size) || 1, 1, SIZE);
      this.chosen = true;
      this.parts.size.value = this.size;
      this.parts["size-range"].value = (100 * Math.log(this.size)) / Math.log(SIZE);
      this.changed();
    }

    setHardness(share) {
      this.hardness = limit(Math.round(share) || 0, 0, 100);
      this.parts.hardness.value = this.hardness;
      this.changed();
    }

    setErase(erase) {
      this.erase = erase;
      this.parts.brush.setAttribute("aria-pressed", String(!erase));
      this.parts.eraser.setAttribute("aria-pressed", String(erase));
    }

    setPressure(pressure) {
      this.pressure = pressure;
      this.parts.pressure.setAttribute("aria-pressed", String(pressure));
    }

    setColor(color) {
      this.color = this.parts.color.value = color;
    }

    // The colour was used: it is among the recent ones.
    remember() {
      if (this.recent[0] === this.color) return;
      this.recent = [this.color, ...this.recent.filter((color) => color !== this.color)].slice(0, 6);
      this.parts.swatches.replaceChildren(...this.recent.map((color) => this.swatch(color)));
    }

    swatch(color) {
      const button = Object.assign(document.createElement("button"), { type: "button", title: color });
      button.setAttribute("aria-label", `Colour ${color}`);
      button.style.background = color;
      button.addEventListener("click", () => this.setColor(color));
      return button;
    }

    // 0xAABBGGRR, as pixels are stored.
    abgr() {
      const [red, green, blue] = [1, 3, 5].map((place) => parseInt(this.color.slice(place, place + 2), 16));
      return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
    }

    static hex(color) {
      return `#${[0, 8, 16].map((shift) => ((color >>> shift) & 255).toString(16).padStart(2, "0")).join("")}`;
    }
  }

  // ---- keys, and files that are dropped or pasted --------------------------------------------------------------------------

  const TYPED = "textarea, select, [contenteditable], input:not([type=range], [type=color], [type=checkbox], [type=radio])";
  const typing = (target) => !!target?.closest?.(TYPED);
  const chord = ({ key, ctrlKey, metaKey, shiftKey, altKey }) => {
    const command = ctrlKey || metaKey;
    return `${command ? "ctrl+" : ""}${altKey ? "alt+" : ""}${command && shiftKey ? "shift+" : ""}${key.toLowerCase()}`;
  };

  // The picture in what was dropped or pasted; a picture of this page may come as its address.
  const fileOf = async (data) => {
    const file = [...data.files].find((each) => !each.type || each.type.startsWith("image/"));
    const address = data.getData("text/uri-list").split("\n")[0];
    if (file || !address || new URL(address, location.href).origin !== location.origin) return file ?? null;
    const answer = await fetch(address).catch(() => null);
    const blob = answer?.ok ? await answer.blob() : null;
    return blob?.type.startsWith("image/") ? blob : null;
  };

  // Files that are dropped on `room`, or pasted while it is `shown` and no other dialog lies above it, go to `open`.
  const receive = (room, shown, open, fail) => {
    const lit = (over) => room.classList.toggle("over", over);
    room.addEventListener("dragover", (event) => {
      if (!["Files", "text/uri-list"].some((type) => event.dataTransfer?.types.includes(type))) return;
      event.preventDefault();
      lit(true);
    });
    room.addEventListener("dragleave", (event) => lit(room.contains(event.relatedTarget)));
    room.addEventListener("drop", async (event) => {
      event.preventDefault();
      lit(false);
      const file = await fileOf(event.dataTransfer);
      if (file) open(file);
      else fail("This is no picture that a browser can hand over. Save it first, then drop the file.");
    });
    window.addEventListener("paste", async (event) => {
      const above = document.querySelector("dialog[open]");
      if (!shown() || (above && above !== room) || typing(event.target) || !event.clipboardData?.files.length) return;
      const file = await fileOf(event.clipboardData);
      if (file) open(file);
    });
  };

  // A button that asks for a file.
  const chooses = (input, open) =>
    input.addEventListener("change", () => {
      const [file] = input.files;
      input.value = "";
      if (file) open(file);
    });

  atelier.canvasHands = { typing, chord, receive, chooses, fileOf };
  atelier.CanvasBrush = Brush;
  atelier.CanvasPointers = Pointers;
  atelier.CanvasFrame = Frame;
  atelier.CanvasChoices = Choices;
})();
