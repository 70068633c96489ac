// The control units of a form: what a request calls controls. Names and sentences enter as text, never as markup.
// A card is in unit_card.js, its controls in unit_parts.js and unit_pictures.js, the maps in unit_maps.js.
import { emit, enter, on, parts } from "./dom.js";
import { fileOf } from "./files.js";
import * as folds from "./folds.js";
import { typing } from "./keyboard.js";
import { refit } from "./memory.js";
import * as page from "./page.js";
import { regionPad } from "./region_pad.js";
import { unitCard } from "./unit_card.js";
import { unitMaps } from "./unit_maps.js";
import { address } from "./unit_pictures.js";
import { unitWeights } from "./unit_weights.js";

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, trigger, props, server, watch }) => {
  const part = parts(element);
  const { kind, title, prominent, most, begins, depends, fields, matters } = props.offers;
  const WORDS = begins.name
    ? `A unit holds the drawing to the outlines, depth or pose of a picture: its own, or the ${begins.called} of this tab.`
    : "A unit holds the drawing to the outlines, depth or pose of a picture.";
  const OF_THE_FORM = [...depends, "steps"];
  let cards = []; // one a unit, in the same order
  let models = page.lists[kind]?.controls ?? [];
  let readers = page.lists[kind]?.readers ?? {}; // preprocessor -> id of the model that reads its maps
  let form = page.forms[kind] ?? {};
  let region = null; // the sheet on which regions are drawn
  const left = folds.was(`${kind}-units`, [prominent]); // which cards were left open, when the page was last here
  const keepOpen = () => folds.keep(`${kind}-units`, cards.map((card) => card.isOpen()));
  let first = ""; // the picture of the first unit, to see when another tab sends one

  const defaults = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.default]));
  const sound = (unit) => Object.fromEntries(Object.entries({ ...defaults, name: "" }).map(([name, value]) => [name, unit?.[name] ?? value]));
  const units = () => (Array.isArray(props.value) ? props.value.slice(0, most).map(sound) : []);

  const change = (next) => {
    props.value = next;
    trigger("change");
    draw();
  };
  // What another version of the page has kept is read as far as it is known, or the request would be refused.
  const mended = () => {
    const known = Object.keys(sound({})).sort().join();
    const isSound = (props.value ?? []).every((unit) => Object.keys(unit ?? {}).sort().join() === known);
    if (!isSound) change(units());
  };
  const say = (words) => (part("spoken").textContent = words);

  // ---- what a map depends on ----------------------------------------------------------------------------------------------
  const question = (unit) => {
    const { width, height } = form;
    if (!(width > 0 && height > 0) || !(unit.image || form[begins.name])) return "";
    if (maker(unit)?.missing) return "";
    const seen = Object.fromEntries(matters.map((name) => [name, unit[name]]));
    const own = Object.fromEntries(depends.filter((name) => name in form).map((name) => [name, form[name]]));
    return JSON.stringify({ unit: seen, ...own });
  };
  const maker = (unit) => (page.told.preprocessors ?? []).find((each) => each.name === unit.preprocessor);
  const maps = unitMaps((asked) => server.preview(asked), () => element.isConnected && draw());
  const mapOf = (unit) => {
    const has = unit.image || form[begins.name];
    return has && maker(unit)?.missing ? { state: "missing" } : maps.of(question(unit));
  };
  const looked = () => {
    const now = units();
    const isSeen = !part("body").hidden && element.getClientRects().length > 0;
    const order = now.map((unit, place) => ({ later: cards[place]?.isOpen() ? 0 : 1, key: question(unit) })).sort((a, b) => a.later - b.later);
    maps.want(isSeen ? [...new Set(order.map(({ key }) => key))] : []);
  };

  // ---- one unit -----------------------------------------------------------------------------------------------------------
  const placeOf = (card) => cards.indexOf(card);
  const makeCard = () => {
    const card = unitCard(props.offers, {
      change: (patch) => change(units().map((unit, place) => (place === placeOf(card) ? { ...unit, ...patch } : unit))),
      remove: () => remove(card),
      duplicate: () => duplicate(card),
      move: (by) => move(card, by),
      enlarge: () => enlarge(card),
      retry: () => maps.again(),
      fold: (more) => folds.details(more, `${kind}-units-more`),
      looked: () => (keepOpen(), draw()),
      resize: (size) => resize(size),
      weights: unitWeights(server),
      paint: (asked) => (region ??= regionPad(part("region"))).open(asked),
    });
    return card;
  };
  const insert = (place, unit) => {
    const now = units();
    if (now.length >= most) return null;
    for (const other of cards) other.open(false);
    const card = makeCard();
    cards.splice(place, 0, card);
    card.open(true);
    keepOpen();
    change([...now.slice(0, place), sound(unit), ...now.slice(place)]);
    card.focus();
    say(`Unit ${place + 1} was added.`);
    return card;
  };
  const remove = (card) => {
    const place = placeOf(card);
    const now = units();
    cards.splice(place, 1);
    keepOpen();
    change(now.filter((_, index) => index !== place));
    say(`Unit ${place + 1} was removed.`);
    if (cards.length) cards[Math.min(place, cards.length - 1)].focus();
    else part("add").focus();
  };
  const duplicate = (card) => insert(placeOf(card) + 1, units()[placeOf(card)]);
  const move = (card, by) => {
    const [from, to] = [placeOf(card), placeOf(card) + by];
    const now = units();
    if (!now[to]) return;
    for (const list of [cards, now]) list.splice(to, 0, ...list.splice(from, 1));
    keepOpen();
    change(now);
    card.focus();
    say(`It is unit ${to + 1} now.`);
  };

  // The drawing takes the shape of a picture, at a size that suits the checkpoint.
  let shape = null; // of that picture, [width, height]
  const resize = async ({ width, height }) => {
    shape = [width, height];
    const size = await server.fit({ checkpoint: form.checkpoint, picture: [width, height] }).catch(() => null);
    if (!size?.length) return;
    enter(`#${kind}-width`, size[0]);
    enter(`#${kind}-height`, size[1]);
  };
  on("chosen", (detail) => detail.kind === kind && shape && refit(server.fit, detail, shape));

  // ---- drawn --------------------------------------------------------------------------------------------------------------
  const arrange = (now) => {
    while (cards.length < now.length) {
      cards.push(makeCard());
      cards.at(-1).open(!!left[cards.length - 1]);
    }
    cards = cards.slice(0, now.length);
    const roots = cards.map((card) => card.root);
    const list = part("list");
    if (roots.length !== list.children.length || roots.some((root, index) => list.children[index] !== root)) list.replaceChildren(...roots);
  };
  const draw = () => {
    const now = units();
    arrange(now);
    const preprocessors = page.told.preprocessors ?? [];
    now.forEach((unit, place) => {
      const at = { place, whose: `unit ${place + 1}`, count: now.length, full: now.length >= most, models, readers, preprocessors, form, map: mapOf(unit) };
      cards[place].show(unit, at);
    });
    const acting = now.filter((unit) => unit.weight && (unit.image || begins.name)).length;
    const some = acting < now.length ? `${acting} of ${now.length} on` : `${acting} on`;
    part("sum").textContent = acting ? some : now.length && !prominent ? "none on" : prominent ? "" : "off";
    part("add").disabled = now.length >= most;
    part("add").textContent = now.length ? "Add another unit" : "Add a unit";
    part("limit").textContent = now.length >= most ? `${most} is the most` : "";
    looked();
  };

  const unfold = (wanted) => {
    part("fold").setAttribute("aria-expanded", String(wanted));
    part("body").hidden = !wanted;
    looked();
  };

  const enlarge = (card) => {
    const unit = units()[placeOf(card)];
    const map = mapOf(unit);
    if (map.state !== "done") return;
    part("large-picture").src = address(map.id);
    part("large-picture").alt = "What the model will see";
    part("large-words").textContent = `What the model of unit ${placeOf(card) + 1} will see: ${unit.preprocessor}`;
    part("large-facts").textContent = `${map.width} × ${map.height}`;
    part("large").showModal();
  };

  // ---- pictures that are pasted or dropped beside a card ------------------------------------------------------------------
  const taker = (event) => {
    const pointed = cards.find((card) => card.isOpen() && card.isPointed());
    if (pointed || begins.name || typing(event.target)) return pointed;
    const now = units();
    return cards.find((card, place) => card.isOpen() && !now[place].image) ?? (now.length ? null : insert(0, defaults));
  };
  const paste = async (event) => {
    if (part("body").hidden || part("region").open || !element.getClientRects().length || !event.clipboardData?.files.length) return;
    if (typing(event.target)) return;
    const card = taker(event);
    if (!card) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const file = await fileOf(event.clipboardData);
    if (file) card.put(file);
  };

  // ---- joined -------------------------------------------------------------------------------------------------------------
  const learn = async () => {
    const list = await server.preprocessors().catch(() => null);
    if (list) page.told.preprocessors = list;
    emit("makers");
  };
  // A component that has left the page hears nothing any more.
  const hear = (name, act) => on(name, (told) => element.isConnected && act(told));
  hear("form", ({ kind: whose, values }) => {
    if (whose !== kind) return;
    const changed = OF_THE_FORM.some((name) => form[name] !== values[name]);
    form = values;
    if (changed) draw();
  });
  hear("lists", ({ kind: whose, lists }) => {
    if (whose !== kind) return;
    [models, readers] = [lists.controls ?? [], lists.readers ?? {}];
    draw();
  });
  hear("library", () => learn());
  hear("makers", () => maps.again());
  window.addEventListener("paste", paste, true);
  new IntersectionObserver(() => looked()).observe(element);

  part("title").textContent = title;
  part("words").textContent = WORDS;
  part("fold").addEventListener("click", () => {
    unfold(part("body").hidden);
    folds.keep(`${kind}-controls`, !part("body").hidden);
  });
  part("add").addEventListener("click", () => insert(units().length, defaults));
  part("close").addEventListener("click", () => part("large").close());
  part("large").addEventListener("click", ({ target }) => target !== part("close") && part("large").close());
  part("room").classList.toggle("prominent", prominent);

  // A picture that another tab sends is one to look at.
  watch("value", () => {
    const sent = units()[0]?.image ?? "";
    draw();
    if (prominent && sent && sent !== first) cards[0].open(true);
    first = sent;
    mended();
  });
  first = units()[0]?.image ?? "";
  draw();
  mended();
  unfold(folds.was(`${kind}-controls`, prominent));
  if (!page.told.preprocessors) learn();
};
