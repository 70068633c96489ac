// Drawing on a depth map: a brush of one grey, from far to near, over the map or over an empty one. Pixels are those of raster.js, the
// view and the pointers those of the paint canvas. What comes out is the strokes alone, so that the map below keeps its 16 bits.
(() => {
  const LARGEST = 2048; // pixels of a side; strokes on a larger map are scaled to it
  const BRUSH = ["brush", "eraser", "size", "size-range", "hardness", "color", "swatches", "pressure"];

  const grey = (share) => `#${Math.round(255 * share).toString(16).padStart(2, "0").repeat(3)}`;
  const surface = (width, height) => Object.assign(document.createElement("canvas"), { width, height });

  // `part` finds the elements of the pad by name.
  atelier.depthPad = (part) => {
    const { raster } = atelier;
    const view = new atelier.CanvasView(part("canvas"));
    let layer = null;
    let history = new raster.History();
    let stroke = null;
    let turned = false; // the map is inverted afterwards: what is shown as near is dark in it
    let seen = null;

    const cursor = (event) => {
      seen = event && { clientX: event.clientX, clientY: event.clientY };
      part("pad").classList.toggle("pointed", !!seen);
      part("cursor").hidden = !seen;
      if (!seen) return;
      const box = part("sheet").getBoundingClientRect();
      const across = Math.max(2, (tool.size * view.scale) / view.dpr);
      const { style } = part("cursor");
      style.width = style.height = `${across}px`;
      style.transform = `translate(${seen.clientX - box.left - across / 2}px, ${seen.clientY - box.top - across / 2}px)`;
      style.setProperty("--core", `${((1 - tool.hardness / 100) * across) / 2}px`);
    };
    const parts = Object.fromEntries(BRUSH.map((name) => [name, part(name)]));
    const tool = new atelier.CanvasBrush(parts, () => cursor(seen));
    const choose = (depth) => {
      const share = Math.min(1, Math.max(0, Number(depth) || 0));
      part("depth").value = share;
      part("depth-value").textContent = share.toFixed(2);
      part("swatch").style.background = grey(share);
      tool.setColor(grey(turned ? 1 - share : share));
    };

    // ---- strokes -------------------------------------------------------------------------------------------------------
    const steps = () => {
      part("undo").disabled = !history.past.length;
      part("redo").disabled = !history.future.length;
      part("done").disabled = !history.past.length;
    };
    const push = (tiles) => {
      if (tiles.size) history.push({ tiles, bytes: raster.cost(tiles) });
      steps();
    };
    const draw = (event) => {
      const { x, y } = view.toPicture(view.device(event));
      view.repaint(stroke.to(x, y, tool.radius(event)));
    };
    const start = (event) => {
      const erase = tool.erase || (event.buttons & 32) > 0; // the other end of a pen
      stroke = new raster.Stroke(layer, { erase, hardness: tool.hardness / 100, color: tool.abgr() });
      draw(event);
    };
    const end = (cancelled) => {
      if (!stroke) return;
      const { tiles } = stroke;
      if (cancelled) stroke.cancel();
      else push(tiles);
      stroke = null;
      if (cancelled) view.repaint();
    };
    const step = (from, onto) => {
      end(false);
      const entry = from.pop();
      if (!entry) return;
      const tiles = raster.exchange(layer, entry.tiles);
      onto.push({ tiles, bytes: raster.cost(tiles) });
      view.repaint();
      steps();
    };
    const edit = (change) => {
      end(false);
      push(raster.remember(layer, change));
      view.repaint();
    };
    // A ground that comes nearer from the middle of the picture down to its lower edge.
    const ground = (cells) => {
      const { width, height } = layer;
      for (let y = Math.floor(height / 2); y < height; y += 1) {
        const share = (2 * (y + 0.5)) / height - 1;
        const level = Math.round(255 * (turned ? 1 - share : share));
        cells.fill((0xff000000 | (level * 0x010101)) >>> 0, y * width, (y + 1) * width);
      }
    };

    // ---- hands ---------------------------------------------------------------------------------------------------------
    new atelier.CanvasPointers(view, { takes: () => true, start, on: (event) => stroke && draw(event), end, show: cursor });
    const ON = {
      brush: () => tool.setErase(false),
      eraser: () => tool.setErase(true),
      undo: () => step(history.past, history.future),
      redo: () => step(history.future, history.past),
      fill: () => edit((cells) => cells.fill(tool.abgr())),
      ground: () => edit(ground),
    };
    for (const [name, act] of Object.entries(ON)) part(name).addEventListener("click", act);
    const KEY = {
      "ctrl+z": ON.undo, "ctrl+shift+z": ON.redo, "ctrl+y": ON.redo, b: ON.brush, e: ON.eraser, 0: () => view.fit(),
      "[": () => tool.setSize(Math.min(tool.size - 1, tool.size / 1.15)), "]": () => tool.setSize(Math.max(tool.size + 1, tool.size * 1.15)),
    };
    part("pad").addEventListener("keydown", (event) => {
      const act = !atelier.canvasHands.typing(event.target) && KEY[atelier.canvasHands.chord(event)];
      if (!act) return;
      event.preventDefault();
      event.stopPropagation();
      act();
    });
    part("depth").addEventListener("input", () => choose(part("depth").value));
    part("beneath").addEventListener("input", () => part("pad").style.setProperty("--beneath", part("beneath").value / 100));

    // The picture shows through, where there is one: it is drawn over the sheet, at the same place.
    const lay = () => {
      const { style } = part("guide");
      if (!view.picture) return;
      const { width, height } = view.picture;
      Object.assign(style, { width: `${(width * view.scale) / view.dpr}px`, height: `${(height * view.scale) / view.dpr}px` });
      style.transform = `translate(${view.x / view.dpr}px, ${view.y / view.dpr}px)`;
    };
    view.moved = lay;
    const measure = () => view.resize(part("sheet").clientWidth, part("sheet").clientHeight, window.devicePixelRatio || 1);
    new ResizeObserver(measure).observe(part("sheet"));

    return {
      // `image`: the map as it came, or null; `size`: of an empty one; `guide`: the address of the picture; `inverted`: shown turned over.
      open({ image, size, guide, inverted }) {
        const [across, up] = image ? [image.naturalWidth, image.naturalHeight] : size;
        const share = Math.min(1, LARGEST / Math.max(across, up));
        const [width, height] = [Math.max(1, Math.round(across * share)), Math.max(1, Math.round(up * share))];
        const base = surface(width, height);
        const context = base.getContext("2d");
        context.fillStyle = inverted ? "#ffffff" : "#000000";
        context.fillRect(0, 0, width, height);
        if (image) context.drawImage(image, 0, 0, width, height);
        layer = new raster.Layer(width, height, 4);
        history = new raster.History();
        turned = inverted;
        part("pad").classList.toggle("turned", inverted);
        part("guide").hidden = part("beneath-room").hidden = !guide;
        if (guide) part("guide").src = guide;
        choose(part("depth").value);
        steps();
        measure();
        view.setPicture({ image: base, width, height }, layer);
        tool.suit({ width, height });
        part("canvas").focus({ preventScroll: true });
      },
      // The strokes as a file; on an empty map, with what lies below.
      async file(alone) {
        end(false);
        const { width, height } = layer;
        if (!alone) return raster.png(width, height, 4, layer.bytes);
        const below = view.picture.image.getContext("2d").getImageData(0, 0, width, height).data;
        const whole = raster.flatten(below, layer);
        return raster.png(width, height, 1, Uint8Array.from({ length: width * height }, (_, index) => whole[4 * index]));
      },
      isTouched: () => history.past.length > 0,
    };
  };
})();
