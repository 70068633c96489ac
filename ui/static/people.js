// People: the owner makes links, sees who came by them, holds and takes back; a guest sees who they are here, and moves to another device.
import { emit, find, make, on, parts, write } from "./dom.js";
import * as page from "./page.js";
import { reach } from "./reach.js";

/** @typedef {import("./messages.d.ts").LinkRow} Link */
/** @typedef {import("./messages.d.ts").PersonRow} Person */

const NEW = "Whoever opens a link says a name and is in. It can be taken back at any time.";
const OFTEN = 4000; // milliseconds between looks while the list is seen
const ARMED = 5000; // milliseconds in which a second press takes back
const AWAY = "The server did not answer. See that Atelier still runs, then try again.";
const MAY = { viewer: "look", commenter: "look and comment", artist: "draw", "co-owner": "own it with me" };
const YOU = { viewer: "look", commenter: "look and comment", artist: "draw", "co-owner": "draw, and let others in" };
const HINTS = {
  viewer: "Whoever may look sees the board, or in the studio what waits, and nobody's own pictures.",
  commenter: "Whoever may comment says something of the pictures that they see, or of a spot of one.",
  "co-owner": "A co-owner makes links for others, and you can take those back too.",
};
const STATES = { over: "Over", full: "Full", thanked: "Thanked", "taken back": "Taken back" };
const BOUNDS = ["people", "jobs", "megapixels", "gigabytes"];

/** How long ago, in a few letters. @type {(seconds: number) => string} */
export const ago = (seconds) => {
  if (seconds < 90) return "just now";
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86400)} days ago`;
};
/** How long from now. @type {(seconds: number) => string} */
export const left = (seconds) => (seconds < 5400 ? `${Math.max(1, Math.round(seconds / 60))} min` : seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`);

/** What a link is, in a line. @type {(link: Link, now: number) => string} */
export const saidOf = (link, now) =>
  [
    link.board ? `“${link.board}”` : "the studio",
    MAY[link.role] ?? MAY.viewer,
    link.most && `${link.people.length} of ${link.most} people`,
    link.jobs && `${link.jobs} job${link.jobs === 1 ? "" : "s"} waiting`,
    link.megapixels && `${link.megapixels} MP an hour`,
    link.gigabytes && `${link.gigabytes} GB`,
    link.bare && "without settings",
    link.checker && `safety checker: ${link.checker}`,
    STATES[link.state],
    link.ends && link.ends > now && link.state !== "taken back" && `ends in ${left(link.ends - now)}`,
  ].filter(Boolean).join(" · ");

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element }) => {
  const part = parts(element);
  const dialog = part("dialog");
  let timer = 0;
  let newest = 0; // of the looks: an answer to an earlier one is not shown
  let before = "";
  let armed = ""; // the id of the link that a second press closes
  let changed = ""; // the id of the link that the form is about; "": a new one

  const asked = async (address, body = null) => {
    const options = body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {};
    const answer = await fetch(address, options).catch(() => null);
    const told = answer ? await answer.json().catch(() => ({})) : {};
    if (answer?.ok) return told;
    write(part("problem"), told.message || AWAY);
    return null;
  };
  const speak = (words) => (part("spoken").textContent = words);

  const places = reach(part, asked);

  // ---- an address that is there to be given away -------------------------------------------------------------------------------

  /** @type {(link: import("./messages.d.ts").NewLink, words: string) => void} */
  const show = ({ address, qr, note }, words) => {
    part("qr").src = qr;
    part("address").value = address;
    part("made-words").textContent = words;
    write(part("made-note"), note);
    part("copy").lastElementChild.textContent = "Copy";
    part("made").hidden = false;
    part("made").scrollIntoView({ block: "nearest" });
    part("copy").focus();
  };
  const copy = async () => {
    const field = part("address");
    field.select();
    const done = await (navigator.clipboard?.writeText(field.value).then(() => true, () => false) ?? Promise.resolve(document.execCommand("copy")));
    part("copy").lastElementChild.textContent = done ? "Copied" : "Press Ctrl+C";
    speak(done ? "The address is copied." : "The address is selected.");
  };

  // ---- who came ----------------------------------------------------------------------------------------------------------------

  const act = async (address, body, words) => {
    write(part("problem"));
    const done = await asked(address, body);
    if (done) speak(words);
    await look();
    return done;
  };
  const button = (says, title, does) => {
    const made = make("button", { type: "button", className: "quiet", textContent: says, title });
    made.addEventListener("click", does);
    return made;
  };
  const roles = (link) => Object.keys(MAY).slice(0, Math.max(0, Object.keys(MAY).indexOf(link.role)) + 1);

  /** @type {(link: Link, person: Person, now: number) => HTMLElement} */
  const row = (link, person, now) => {
    const choice = make("select", { "aria-label": `What ${person.name} may` }, ...roles(link).map((role) => make("option", { value: role, textContent: MAY[role], selected: role === person.role })));
    choice.addEventListener("change", () => act(`people/persons/${person.person}/role`, { role: choice.value }, `${person.name} may ${MAY[choice.value]} now.`));
    const seen = !person.here ? `out, was here ${ago(now - person.seen)}` : now - person.seen < 30 ? "here" : ago(now - person.seen);
    const hold = button(person.held ? "Let go on" : "Pause", person.held ? "Their jobs are drawn again" : "Their jobs keep their place and wait", () =>
      act(`people/persons/${person.person}/hold`, { held: !person.held }, person.held ? `${person.name} goes on.` : `${person.name} is paused.`));
    return make("li", { "data-person": String(person.person), "data-here": String(person.here) },
      make("b", { textContent: person.name, title: person.name }),
      make("span", { className: "people-seen", textContent: person.held ? "paused" : seen }),
      ...(person.here && link.state !== "thanked" ? [choice, hold] : []));
  };
  const again = () => {
    before = "";
    return look();
  };
  const close = (link, how, words) => {
    armed = "";
    part("made").hidden = true;
    if (changed === link.id) setForm(null);
    return act(`people/links/${encodeURIComponent(link.id)}/${how}`, {}, words);
  };
  /** One button, and once it was pressed two for a while. @type {(link: Link) => (HTMLElement | null)[]} */
  const closing = (link) => {
    const sure = armed === link.id;
    const first = () => {
      armed = link.id;
      setTimeout(() => armed === link.id && ((armed = ""), again()), ARMED);
      return again();
    };
    const made = button(sure ? "Take back now" : "Close…", sure ? "It opens nothing any more, and who came by it is out at once" : "At once, or with thanks", sure ? () => close(link, "take-back", `${link.name} was taken back.`) : first);
    made.dataset.act = "close";
    if (!sure) return [made];
    made.className = "quiet people-sure";
    const kind = button("Thank and close", "Nobody comes in by it any more, what waits is dropped; for a day, who came by it can download their own pictures", () => close(link, "thank", `${link.name} is closed, with thanks.`));
    return [link.password || link.state === "thanked" ? null : kind, made];
  };
  const renew = (link) =>
    button("New address", "Another address for this link; the one before opens nothing any more, and who came by it stays", async () => {
      const made = await asked(`people/links/${encodeURIComponent(link.id)}/address`, {});
      if (made) show(made, `The new address of “${link.name}”. It cannot be shown again later.`);
    });

  /** @type {(link: Link, now: number) => HTMLElement} */
  const way = (link, now) => {
    const open = link.state === "open" || link.state === "full";
    const change = open && armed !== link.id ? button("Change", "Another name, role, end or other bounds, for who came by it too", () => setForm(link)) : null;
    return make("li", { "data-link": link.id, "data-state": link.state },
      make("div", { className: "people-way" }, make("b", { textContent: link.name, title: link.name }), make("span", { className: "people-facts", textContent: saidOf(link, now) }),
        make("span", { className: "people-acts" }, change, change && !link.password ? renew(link) : null, ...(open || link.state === "thanked" ? closing(link) : []))),
      link.people.length ? make("ul", {}, ...link.people.map((person) => row(link, person, now))) : null);
  };

  const offer = (roles) => {
    if (part("role").options.length === roles.length) return;
    part("role").replaceChildren(...roles.map((role) => make("option", { value: role, textContent: MAY[role], selected: role === "artist" })));
  };
  const draw = (news) => {
    const now = Date.now() / 1000;
    const said = JSON.stringify([news, Math.floor(now / 30), armed]);
    if (said === before || dialog.querySelector(".people-list select:focus-within")) return;
    before = said;
    const held = document.activeElement?.closest("[data-link]")?.getAttribute("data-link");
    part("list").replaceChildren(...news.links.map((link) => way(link, now)));
    if (held) find(`[data-link="${CSS.escape(held)}"] [data-act]`, part("list"))?.focus({ preventScroll: true });
    part("empty").hidden = news.links.length > 0;
    part("hold-all").hidden = !news.may_hold || !news.links.length;
    part("hold-all").textContent = news.held ? "Let all guests go on" : "Hold all guests";
    part("hold-all").title = news.held ? "" : "Nothing of theirs is begun, and they can look only; you draw on";
    part("hold-all").dataset.held = String(news.held);
    part("checker").disabled = Boolean(news.no_checker);
    write(part("no-checker"), news.no_checker && `For the safety checker: ${news.no_checker}`);
    offer(news.roles.filter((role) => role in MAY));
  };
  const look = async () => {
    clearTimeout(timer);
    const mine = (newest += 1);
    const news = await asked("people");
    if (mine !== newest || !dialog.open) return;
    if (news) draw(news);
    if (news?.may_hold) await places.look();
    timer = window.setTimeout(look, OFTEN);
  };
  const boards = async (chosen) => {
    const told = await fetch("library/boards").then((answer) => answer.json()).catch(() => null);
    const mine = (told?.boards ?? []).filter((board) => board.own || board.id === you().board);
    const all = you().board ? [] : [make("option", { value: "", textContent: "The studio" })];
    part("board").replaceChildren(...all, ...mine.map(({ id, name }) => make("option", { value: id, textContent: `Board “${name}”`, selected: id === chosen })));
  };

  // ---- joined ------------------------------------------------------------------------------------------------------------------

  const you = () => page.told.engine?.you ?? { name: "", role: "anyone", may: [], board: "", held: false, bare: false };
  const hint = () => write(part("hint"), HINTS[part("role").value] ?? "");
  const number = (name) => (part(name).value === "" ? null : Number(part(name).value));

  /** The form is about this link, or a new one. @type {(link: Link | null) => void} */
  const setForm = (link) => {
    changed = link?.id ?? "";
    part("form-words").textContent = link ? `Change “${link.name}”. It counts at once, also for who came by it.` : NEW;
    part("make-says").textContent = link ? "Save" : "Make a link";
    part("cancel").hidden = !link;
    part("where").hidden = !!link;
    part("hours").options[0].hidden = !link;
    part("hours").value = link ? "keep" : "168";
    part("role").value = link?.role ?? "artist";
    part("name").value = link?.name ?? "";
    part("name").disabled = !!link?.password;
    part("bare").checked = !!link?.bare;
    part("checker").value = link?.checker ?? "";
    for (const name of BOUNDS) part(name).value = String(link?.[name === "people" ? "most" : name] ?? "");
    part("bounds").open = !!link;
    hint();
    if (link) {
      part("made").hidden = true;
      part("role").focus();
      part("form").scrollIntoView({ block: "nearest" });
    }
  };
  part("cancel").addEventListener("click", () => setForm(null));
  part("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    write(part("problem"));
    part("make").disabled = true;
    const [id, hours, name] = [changed, part("hours").value, part("name").value];
    const ends = hours === "keep" ? {} : { hours: hours ? Number(hours) : null };
    const kept = { bare: part("bare").checked, checker: part("checker").value };
    const wanted = { name, role: part("role").value, ...ends, ...kept, ...Object.fromEntries(BOUNDS.map((bound) => [bound, number(bound)])) };
    const made = id ? await asked(`people/links/${encodeURIComponent(id)}/change`, wanted) : await asked("people/links", { ...wanted, board: part("board").value });
    part("make").disabled = false;
    if (!made) return;
    if (id) {
      if (changed === id) setForm(null);
      speak(`${name} is changed.`);
      return again();
    }
    show(made, "Send this to whom you want here, or have it photographed. It cannot be shown again later.");
    part("name").value = "";
    look();
  });
  part("role").addEventListener("change", hint);
  part("copy").addEventListener("click", copy);
  part("hold-all").addEventListener("click", () => {
    const held = part("hold-all").dataset.held !== "true";
    act("people/hold", { held }, held ? "All guests are held." : "All guests go on.");
  });
  part("move").addEventListener("click", async () => {
    write(part("problem"));
    const made = await asked("people/move", {});
    if (made) show(made, "Photograph this with the other device: you are there as well, with your pictures. It is good once, for five minutes.");
  });
  part("leave").addEventListener("click", async () => {
    await fetch("logout", { method: "POST" }).catch(() => {});
    location.reload();
  });
  part("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    clearTimeout(timer);
    part("made").hidden = true;
    part("qr").removeAttribute("src");
    part("address").value = "";
    setForm(null);
    places.seen();
    emit("look");
  });
  on("people", (asked) => {
    const { name, role, may, held, bare } = you();
    const shares = may.includes("share");
    write(part("problem"));
    part("title").textContent = role === "owner" ? "People" : name;
    part("you").hidden = role === "owner";
    part("you-words").textContent = held ? "The owner of this studio has paused you: you can look, and what waits keeps its place." : `By your link you may ${YOU[role] ?? "look"}. Your pictures are yours alone.${bare ? " Pictures leave here without their settings." : ""}`;
    part("form").hidden = part("ways").hidden = !shares;
    before = "";
    if (!dialog.open) dialog.showModal();
    part("reach").hidden = true;
    if (!shares) return;
    offer(Object.keys(MAY).slice(0, role === "owner" ? undefined : -1)); // a press before the list has come makes a link too
    look();
    if (role === "owner") places.again();
    boards(asked?.board);
    hint();
  });
};
