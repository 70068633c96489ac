// Drawing on a depth map: a brush of one grey, from far to near, over the map or over an empty one, on the sheet of paint_pad.js. What
// comes out is the strokes alone, so that the map below keeps its 16 bits.
(() => {
  const grey = (share) => `#${Math.round(255 * share).toString(16).padStart(2, "0").repeat(3)}`;

  // `part` finds the elements of the pad by name.
  atelier.depthPad = (part) => {
    const { raster, paintPad } = atelier;
    const pad = paintPad(part, "depth-pad");
    const { view, tool, edit } = pad;
    let turned = false; // the map is inverted afterwards: what is shown as near is dark in it

    const choose = (depth) => {
      const share = Math.min(1, Math.max(0, Number(depth) || 0));
      part("depth").value = share;
      part("depth-value").textContent = share.toFixed(2);
      part("swatch").style.background = grey(share);
      tool.setColor(grey(turned ? 1 - share : share));
    };
    // A ground that comes nearer from the middle of the picture down to its lower edge.
    const ground = (cells) => {
      const { width, height } = pad.layer();
      for (let y = Math.floor(height / 2); y < height; y += 1) {
        const share = (2 * (y + 0.5)) / height - 1;
        const level = Math.round(255 * (turned ? 1 - share : share));
        cells.fill((0xff000000 | (level * 0x010101)) >>> 0, y * width, (y + 1) * width);
      }
    };
    part("fill").addEventListener("click", () => edit((cells) => cells.fill(tool.abgr())));
    part("ground").addEventListener("click", () => edit(ground));
    part("depth").addEventListener("input", () => choose(part("depth").value));
    part("beneath").addEventListener("input", () => part("pad").style.setProperty("--beneath", part("beneath").value / 100));

    // The picture shows through, where there is one: it is drawn over the sheet, at the same place.
    view.moved = () => {
      const { style } = part("guide");
      if (!view.picture) return;
      const { width, height } = view.picture;
      Object.assign(style, { width: `${(width * view.scale) / view.dpr}px`, height: `${(height * view.scale) / view.dpr}px` });
      style.transform = `translate(${view.x / view.dpr}px, ${view.y / view.dpr}px)`;
    };

    return {
      forget: pad.forget,
      // `image`: the map as it came, or null; `size`: of an empty one; `guide`: the address of the picture; `inverted`: shown turned over;
      // `of`: the map and the picture, as text.
      open({ image, size, guide, inverted, of }) {
        const [width, height] = paintPad.fitted(...(image ? [image.naturalWidth, image.naturalHeight] : size));
        const base = paintPad.surface(width, height);
        const context = base.getContext("2d");
        context.fillStyle = inverted ? "#ffffff" : "#000000";
        context.fillRect(0, 0, width, height);
        if (image) context.drawImage(image, 0, 0, width, height);
        turned = inverted;
        part("pad").classList.toggle("turned", inverted);
        part("guide").hidden = part("beneath-room").hidden = !guide;
        if (guide) part("guide").src = guide;
        choose(part("depth").value);
        pad.open(base, new raster.Layer(width, height, 4), of);
      },
      // The strokes as a file; on an empty map, with what lies below.
      async file(alone) {
        pad.end(false);
        const layer = pad.layer();
        const { width, height } = layer;
        if (!alone) return raster.png(width, height, 4, layer.bytes);
        const below = view.picture.image.getContext("2d").getImageData(0, 0, width, height).data;
        const whole = raster.flatten(below, layer);
        return raster.png(width, height, 1, Uint8Array.from({ length: width * height }, (_, index) => whole[4 * index]));
      },
    };
  };
})();
