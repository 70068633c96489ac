// What a run will do: asked of the server after the form, the picture or the mask has changed, and shown here and on the canvas.
const part = (name) => element.querySelector(`[data-part="${name}"]`);
const PAUSE = 150; // milliseconds without a change before the server is asked
const { kind } = props;
let values = null;
let timer = null;
let turn = 0; // an answer that comes after a newer question is thrown away

const painted = () => atelier.painted?.[kind];
const boundsOf = (area) => {
  if (!area?.width) return null;
  if (values.inverted) return "inverse" in area ? area.inverse : [0, 0, area.width, area.height];
  return area.bounds;
};

const ask = () => {
  clearTimeout(timer);
  timer = setTimeout(answer, PAUSE);
};
const answer = async () => {
  if (!values) return;
  const mine = ++turn;
  const area = painted();
  const picture = area?.width ? [area.width, area.height] : null;
  const found = await server.plan({ values, picture, bounds: boundsOf(area) }).catch(() => null);
  if (!found || mine !== turn || !element.isConnected) return;
  show(found.lines);
  const detail = { kind, box: found.box, sentence: found.label };
  window.dispatchEvent(new CustomEvent("atelier:preflight", { detail }));
};
const show = (lines) => {
  part("lines").replaceChildren(
    ...lines.map((line) => Object.assign(document.createElement("p"), { textContent: line })),
  );
};

const hear = (form) => {
  values = form;
  ask();
};
window.addEventListener("atelier:form", (event) => event.detail.kind === kind && hear(event.detail.values));
if (atelier.forms[kind]) hear(atelier.forms[kind]); // a tab that is opened later than the page
window.addEventListener("atelier:painted", (event) => event.detail.kind === kind && ask());

// A picture that was put in by hand brings a size that suits it; one that comes with settings has its own.
window.addEventListener("atelier:opened", async (event) => {
  const { kind: whose, width, height } = event.detail;
  if (whose !== kind || kind === "outpaint" || !values) return;
  const size = await server.fit({ checkpoint: values.checkpoint, picture: [width, height] }).catch(() => null);
  if (!size?.length) return;
  atelier.enter(`#${kind}-width`, size[0]);
  atelier.enter(`#${kind}-height`, size[1]);
});
window.addEventListener("atelier:chosen", ({ detail }) => {
  const { width, height } = painted() ?? {};
  if (detail.kind === kind && kind !== "outpaint" && width) atelier.refit(server.fit, detail, [width, height]);
});

// Results of what is on the canvas are candidates: they stand on it until one is kept.
const adopt = async (picture) => {
  const taken = await server.adopt(picture.id);
  if (!taken.id) throw new Error(taken.message || "The picture could not be taken over.");
  atelier.canvases[kind].place(taken.id);
  if (kind === "outpaint") for (const side of ["left", "right", "top", "bottom"]) atelier.enter(`#outpaint-${side}`, 0);
};
window.addEventListener("atelier:drawn", (event) => {
  const { kind: whose, pictures } = event.detail;
  if (whose !== kind || kind === "img2img" || !pictures.length || !atelier.canvases?.[kind]) return;
  if (values && pictures[0].from !== values.image) return;
  const list = pictures.map((picture, index) => ({
    src: `picture/${encodeURIComponent(picture.id)}.png`,
    label: `Result ${index + 1} of ${pictures.length}, seed ${picture.seed}`,
    keep: () => adopt(picture),
  }));
  atelier.canvases[kind].candidates(list);
});
