// The dial of Turn: a camera is dragged around a sphere, and the fields beside it say the same in numbers. Below them, the object as the
// model will see it, which the server makes by the function that drawing uses.
import { enter, later, on, parts, shape, write } from "./dom.js";
import * as page from "./page.js";
import { anglesAt, around, inWords, seenAt, traced, wrapped } from "./turn_sphere.js";

const RADIUS = 100;
const ROOM = 118; // from the middle to the edge of the drawing
const PAUSE = 60; // milliseconds between two numbers while it is dragged
const SEEN = ["image", "mask", "cut", "background", "tolerance", "object_size"]; // fields that the model's view of the object depends on
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const turned = (from, to, by) => Array.from({ length: Math.round((to - from) / by) + 1 }, (_, place) => from + by * place);
const parallel = (elevation) => turned(-180, 180, 4).map((azimuth) => [azimuth, elevation]);
const meridian = (azimuth) => turned(-90, 90, 4).map((elevation) => [azimuth, elevation]);
const LINES = [...[-60, -30, 30, 60].map(parallel), ...turned(-180, 150, 30).map(meridian)];

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, props, server }) => {
  const part = parts(element);
  const { kind, view: fields, reads } = props;
  let read = fields.slice(0, 3); // the fields that the model reads
  let view = { azimuth: 0, elevation: 0 };
  let views = 1;
  let dragged = false;
  let far = false; // the side of the sphere that is dragged on
  let outside = false;
  let told = ""; // what the picture beside was asked of

  // ---- what is seen --------------------------------------------------------------------------------------------------------
  const path = (className, d) => shape("path", { class: className, d });
  const ball = shape("radialGradient", { id: `${kind}-ball`, cx: "36%", cy: "30%", r: "78%" });
  ball.append(shape("stop", { class: "turn-light", offset: "0" }), shape("stop", { class: "turn-shade", offset: "1" }));
  const [back, front] = [shape("g", { class: "turn-far" }), shape("g", { class: "turn-near" })];
  for (const line of [...LINES, parallel(0)]) {
    const { near, far: behind } = traced(/** @type {[number, number][]} */ (line), RADIUS);
    back.append(path("", behind));
    front.append(path("", near));
  }
  const [farWay, nearWay] = [path("turn-way turn-behind", ""), path("turn-way", "")];
  const [farDots, nearDots] = [shape("g"), shape("g")];
  const thing = shape("g", { class: "turn-thing" });
  const picture = shape("image", { x: -26, y: -26, width: 52, height: 52 });
  thing.append(shape("rect", { x: -29, y: -29, width: 58, height: 58, rx: 9 }), picture);
  const sight = path("turn-sight", "");
  const origin = shape("circle", { class: "turn-origin", r: 4.5 });
  const camera = shape("g", { class: "turn-camera" });
  camera.append(
    shape("circle", { r: 22, class: "turn-halo" }),
    shape("circle", { r: 12.5, class: "turn-grip" }),
    path("turn-sign", "M-6 -2.8h2.6l1.4 -2h4l1.4 2h2.6v7.4h-12z"),
    shape("circle", { class: "turn-lens", cy: 0.8, r: 2.1 }),
  );
  const drawing = shape("svg", { viewBox: `${-ROOM} ${-ROOM} ${2 * ROOM} ${2 * ROOM}`, "aria-hidden": "true" });
  drawing.append(
    shape("defs", {}, ball), shape("ellipse", { class: "turn-shadow", cy: RADIUS + 7, rx: 62, ry: 6 }),
    shape("circle", { class: "turn-ball", r: RADIUS, fill: `url(#${kind}-ball)` }),
    back, farWay, farDots, front, thing, nearWay, nearDots, origin, sight, camera,
  );
  part("sphere").append(drawing);

  const dot = (azimuth) => {
    const { x, y, z } = seenAt(azimuth, view.elevation);
    (z >= 0 ? nearDots : farDots).append(shape("circle", { class: "turn-dot", cx: x * RADIUS, cy: -y * RADIUS, r: 3.6 }));
  };
  const draw = () => {
    const { x, y, z } = seenAt(view.azimuth, view.elevation);
    const way = traced(/** @type {[number, number][]} */ (parallel(view.elevation)), RADIUS);
    nearWay.setAttribute("d", way.near);
    farWay.setAttribute("d", way.far);
    nearDots.replaceChildren();
    farDots.replaceChildren();
    if (views > 1) around(view.azimuth, views).slice(1).forEach(dot);
    const [left, top] = [x * RADIUS, -y * RADIUS];
    camera.setAttribute("transform", `translate(${left} ${top})`);
    sight.setAttribute("d", `M${left} ${top}L0 0`);
    for (const each of [camera, sight]) each.classList.toggle("turn-behind", z < 0);
    if (z < 0 === (camera.nextSibling === null)) z < 0 ? drawing.insertBefore(camera, front) : drawing.append(camera);
    drawing.insertBefore(sight, z < 0 ? front : nearWay);
    const own = seenAt(0, 0);
    origin.setAttribute("transform", `translate(${own.x * RADIUS} ${-own.y * RADIUS})`);
    const words = inWords(view.azimuth, view.elevation);
    const first = views > 1 ? `${views} views around, the first ${words}` : words[0].toUpperCase() + words.slice(1);
    write(part("words"), read.includes("azimuth") ? first : `A walk around, ${view.elevation ? `on the far side ${inWords(0, view.elevation)}` : "at one height"}`);
    part("sphere").setAttribute("aria-valuenow", String(view.azimuth));
    part("sphere").setAttribute("aria-valuetext", words);
    part("front").disabled = !view.azimuth && !view.elevation;
  };

  // ---- what hands do -------------------------------------------------------------------------------------------------------
  const tell = () => read.filter((name) => name in view).forEach((name) => enter(`#${kind}-${name}`, view[name]));
  let due = 0;
  const tellSoon = () => {
    due ||= window.setTimeout(() => ((due = 0), tell()), PAUSE);
  };
  const look = (azimuth, elevation) => {
    view = {
      azimuth: read.includes("azimuth") ? wrapped(azimuth) : 0,
      elevation: read.includes("elevation") ? Math.min(90, Math.max(-90, elevation)) : 0,
    };
  };
  const go = (azimuth, elevation) => {
    look(azimuth, elevation);
    draw();
    tellSoon();
  };
  const placeOf = ({ clientX, clientY }) => {
    const { left, top, width } = drawing.getBoundingClientRect();
    const scale = (2 * ROOM) / width;
    return [((clientX - left) * scale - ROOM) / RADIUS, (ROOM - (clientY - top) * scale) / RADIUS];
  };
  // Over the rim the camera goes to the other side, when the pointer comes back in.
  const drag = (event) => {
    const [x, y] = placeOf(event);
    const isOutside = Math.hypot(x, y) > 1;
    if (outside && !isOutside) far = !far;
    outside = isOutside;
    const { azimuth, elevation } = anglesAt(x, y, far);
    go(azimuth, elevation);
  };
  part("sphere").addEventListener("pointerdown", (event) => {
    if (event.button || !event.isPrimary) return;
    const [x, y] = placeOf(event);
    const own = seenAt(view.azimuth, view.elevation);
    far = own.z < 0 && Math.hypot(x - own.x, y - own.y) < 0.25; // one that is behind is taken there; anywhere else is in front
    dragged = true;
    outside = Math.hypot(x, y) > 1;
    part("sphere").setPointerCapture(event.pointerId);
    part("sphere").classList.add("turn-held");
    drag(event);
  });
  part("sphere").addEventListener("pointermove", (event) => dragged && event.isPrimary && drag(event));
  const release = () => {
    if (!dragged) return;
    dragged = false;
    part("sphere").classList.remove("turn-held");
    tell();
  };
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) part("sphere").addEventListener(name, release);
  part("sphere").addEventListener("keydown", (event) => {
    const by = STEPS[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || !(by || event.key === "Home")) return;
    event.preventDefault();
    event.stopPropagation();
    const step = event.shiftKey ? 15 : 5;
    if (by) go(view.azimuth + by[0] * step, view.elevation + by[1] * step);
    else go(0, 0);
  });
  part("front").addEventListener("click", () => go(0, 0));

  // ---- the object, as the model sees it ------------------------------------------------------------------------------------
  const show = ({ picture: source = "", says = "" }) => {
    part("seen").hidden = !source;
    part("empty").hidden = Boolean(source);
    if (source) part("seen").src = source;
    picture.setAttribute("href", source);
    thing.classList.toggle("turn-none", !source);
    write(part("lack"), says);
  };
  let turn = 0;
  const ask = later(180, async () => {
    const form = page.forms[kind];
    if (!form || !element.getClientRects().length) return;
    const values = Object.fromEntries(SEEN.map((name) => [name, form[name]]));
    const now = JSON.stringify(values);
    if (now === told) return;
    const mine = ++turn;
    const answer = await server.seen({ values }).catch(() => null);
    if (!answer || mine !== turn) return;
    told = now;
    show(answer);
  });

  const suits = (checkpoint) => {
    const variant = page.lists[kind]?.checkpoints?.find(({ id }) => id === checkpoint)?.variant ?? "";
    read = reads[variant] ?? fields.slice(0, 3);
    for (const name of fields) element.ownerDocument.getElementById(`${kind}-${name}`)?.classList.toggle("turn-unread", !read.includes(name));
    part("sphere").classList.toggle("turn-fixed", !read.length);
  };
  const hear = (form) => {
    views = Number(form.views) || 1;
    suits(form.checkpoint);
    if (!dragged && !due) look(Number(form.azimuth) || 0, Number(form.elevation) || 0);
    draw();
    ask();
  };
  on("form", ({ kind: whose, values }) => whose === kind && hear(values));
  on("library", () => {
    told = ""; // a model may have come
    ask();
  });
  on("lists", ({ kind: whose }) => whose === kind && page.forms[kind] && hear(page.forms[kind]));
  new IntersectionObserver(() => ask()).observe(element);
  show({});
  draw();
  if (page.forms[kind]) hear(page.forms[kind]); // a tab that is opened later than the page
};
