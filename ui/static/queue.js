// The queue's page: one's jobs from all tabs and windows, in the order of drawing. Dragged, or led by keys and by a menu.
import { begin as edit } from "./editing.js";
import { notify } from "./desk.js";
import { find, findAll, make, on, parts, write } from "./dom.js";
import { order } from "./feed.js";
import { draggable } from "./queue_drag.js";
import { progress, when } from "./queue_words.js";
import { address } from "./stage_live.js";

/** @typedef {import("./messages.d.ts").QueuedJob} Job */
const LANES = { now: "Now", next: "Next", idle: "When idle" };
const MEANS = {
  now: "Before your other jobs",
  next: "One after another",
  idle: "Drawn when nobody wants anything else; gives way between pictures",
};

const AFTER = 50; // milliseconds after a press within which its click has come

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, trigger, props, server }) => {
  const part = parts(element);
  /** @type {import("./page_types.d.ts").Queue | null} */
  let last = null;
  let open = ""; // the id of the job whose menu is open
  let dragged = "";
  let [pressed, late] = [false, false]; // something is pressed, and was to be drawn anew meanwhile

  const speak = (words) => (part("spoken").textContent = words);
  const own = () => (last?.jobs ?? []).filter((job) => job.mine);
  const job = (id) => own().find((each) => each.job === id);

  // ---- acts ------------------------------------------------------------------------------------------------------------------

  const act = async (verb, values, done = "") => {
    write(part("note"));
    try {
      const answer = await order(verb, values);
      if (done) speak(done);
      return answer;
    } catch (problem) {
      write(part("note"), problem.message);
      return null;
    }
  };
  const cancel = async (ids) => {
    const met = await act("cancel", ids ? { jobs: ids } : { running: false });
    if (!met?.jobs.length) return;
    const words = met.jobs.length > 1 ? `${met.jobs.length} jobs were cancelled.` : "The job was cancelled.";
    notify(words, { says: "Undo", does: () => act("undo", { jobs: met.jobs }, "It is back in its place.") }, 20_000);
  };
  const move = (id, before, lane = "") => act("move", { job: id, before, lane }, "Moved.");
  // One place up or down among one's own of the same lane, and from lane to lane at its ends.
  const step = (id, by) => {
    const all = own().filter((each) => each.state === "waiting");
    const at = all.findIndex((each) => each.job === id);
    const lanes = Object.keys(LANES);
    const peers = all.filter((each) => each.lane === all[at].lane);
    const place = peers.findIndex((each) => each.job === id);
    const next = lanes[lanes.indexOf(all[at].lane) + by];
    if (by < 0 && place > 0) return move(id, peers[place - 1].job);
    if (by > 0 && place + 2 < peers.length) return move(id, peers[place + 2].job);
    if (by > 0 && place + 1 < peers.length) return move(id, "", all[at].lane);
    if (next) return move(id, "", next);
    return null;
  };
  const take = async (id) => {
    const found = await server.take(id).catch(() => null);
    if (!found?.kind) return write(part("note"), found?.message ?? "The server did not hear this. Try again.");
    edit(id, found.kind, { fill: () => trigger("fill", { job: id }), put: server.put_back, back: () => order("give_back", { job: id }) });
    return speak("The job is in the form.");
  };
  const duplicate = (id) => act("duplicate", { job: id, once: crypto.randomUUID?.() ?? String(Math.random()) }, "There is another one like it.");

  // ---- what is shown -----------------------------------------------------------------------------------------------------------

  const sign = (name) => make("i", { className: `icon icon-${name}` });
  const button = (icon, says, does, looks = {}) => {
    const made = make("button", { type: "button", className: "round", title: says, "aria-label": says, ...looks }, sign(icon));
    made.addEventListener("click", (event) => (event.stopPropagation(), does()));
    return made;
  };
  /** @type {(job: Job) => [string, () => any][]} */
  const items = ({ job: id, state, lane, begun }) => [
    .../** @type {[string, () => any][]} */ (state !== "running" && !begun ? [["Edit in the form", () => take(id)]] : []),
    .../** @type {[string, () => any][]} */ (state === "held" ? [["Leave it as it was", () => act("give_back", { job: id }, "It is back in its place.")]] : []),
    ["Another one like it", () => duplicate(id)],
    ...Object.keys(LANES).filter((name) => state === "waiting" && name !== lane).map((name) => /** @type {[string, () => any]} */ ([`Draw ${LANES[name].toLowerCase()}`, () => move(id, "", name)])),
    ["Cancel", () => cancel([id])],
  ];
  const menu = (each) =>
    make("div", { className: "menu queue-menu", role: "menu" }, ...items(each).map(([words, does]) => {
      const item = make("button", { type: "button", role: "menuitem", textContent: words });
      item.addEventListener("click", () => ((open = ""), does(), draw()));
      return item;
    }));

  // The one that runs as its steps tell of it; the list is told anew only when the queue moves.
  /** @param {Job} each @returns {Job} */
  const now = (each) => {
    const live = each.state === "running" && last?.running?.job === each.job ? last.running : null;
    if (!live) return each;
    return { ...each, begun: true, pictures: live.pictures.length, picture: live.pictures.at(-1)?.id ?? each.picture, left: live.eta ?? each.left };
  };

  /** @param {Job} told */
  const row = (told) => {
    const each = now(told);
    const running = each.state === "running";
    const image = each.picture && make("img", { src: address("thumb", each.picture), alt: "", loading: "lazy", draggable: false });
    const words = make("span", { className: "queue-words", textContent: each.words || "(no words)", title: each.words });
    const facts = make("span", { className: "queue-facts" }, make("span", { textContent: props.kinds[each.kind] ?? each.kind }), make("span", { textContent: progress(each) }));
    const time = make("span", { className: "queue-time", textContent: when(each, last?.at ?? Date.now(), last) });
    const made = make("li", { className: "queue-job", "data-state": each.state, tabIndex: 0, "data-job": each.job, "aria-label": `${each.words || "A job"}, ${each.finish ? `${each.finish}, ` : ""}${progress(each)}, ${time.textContent}` },
      make("span", { className: "queue-grip", "aria-hidden": "true" }, each.state === "waiting" ? sign("grip-vertical") : null),
      make("span", { className: "queue-thumb" }, image || sign(running ? "sparkles" : "clock")),
      make("span", { className: "queue-body" }, words, facts, each.finish ? make("span", { className: "queue-finish", textContent: each.finish, title: each.finish }) : "", time),
      make("span", { className: "queue-acts" },
        button("ellipsis", "What to do with it", () => ((open = open === each.job ? "" : each.job), draw()), { "aria-haspopup": "true", "aria-expanded": String(open === each.job) }),
        button("x", running ? "Stop; finished pictures are kept" : "Cancel", () => cancel([each.job]))),
      open === each.job ? menu(each) : null,
    );
    made.addEventListener("keydown", (event) => key(event, each));
    if (running) made.style.setProperty("--share", String(each.pictures_total ? (each.pictures + share()) / each.pictures_total : 0));
    return made;
  };
  const share = () => (last?.running?.steps ? last.running.step / last.running.steps : 0);

  const key = (event, each) => {
    if (event.target !== event.currentTarget) return;
    const rows = findAll(".queue-job", element);
    const at = rows.indexOf(event.currentTarget);
    const does = {
      ArrowDown: () => (event.altKey ? step(each.job, 1) : rows[at + 1]?.focus()),
      ArrowUp: () => (event.altKey ? step(each.job, -1) : rows[at - 1]?.focus()),
      Delete: () => cancel([each.job]),
      e: () => each.state === "waiting" && !each.begun && take(each.job),
      d: () => duplicate(each.job),
      Enter: () => ((open = each.job), draw(), find(".queue-menu button", element)?.focus()),
    }[event.key];
    if (!does || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    does();
  };

  const lane = (name) => {
    const jobs = own().filter((each) => each.lane === name && each.state !== "running");
    const list = make("ol", { className: "queue-list", "data-lane": name, "aria-label": LANES[name] }, ...jobs.map(row));
    return make("section", { className: "queue-lane", "data-empty": String(!jobs.length) },
      make("h3", { title: MEANS[name] }, LANES[name], jobs.length ? make("span", { className: "queue-number", textContent: String(jobs.length) }) : ""), list);
  };

  const draw = () => {
    late = pressed; // what is pressed stays until it is let go, else the press would be lost
    if (!last || dragged || pressed) return;
    const focused = document.activeElement?.closest?.(".queue-job")?.getAttribute("data-job");
    const all = own();
    const runs = all.filter((each) => each.state === "running");
    part("empty").hidden = all.length > 0;
    part("lanes").hidden = !all.length;
    const drawn = runs.length ? make("section", { className: "queue-lane" }, make("h3", { textContent: "Drawing" }), make("ol", { className: "queue-list" }, ...runs.map(row))) : "";
    part("lanes").replaceChildren(...[drawn, ...Object.keys(LANES).map(lane)].filter(Boolean));
    heads(all);
    others();
    if (focused) find(`[data-job="${CSS.escape(focused)}"]`, element)?.focus({ preventScroll: true });
  };
  // What runs, as its next step tells: the rest of the list is the one that is shown.
  const goOn = () => {
    if (dragged || pressed) return draw();
    for (const each of own().filter((one) => one.state === "running")) {
      const shown = find(`[data-job="${CSS.escape(each.job)}"]`, element);
      if (shown?.getAttribute("data-state") !== "running") return draw();
      const focused = shown.contains(document.activeElement);
      const made = row(each);
      shown.replaceWith(made);
      if (focused) made.focus({ preventScroll: true });
    }
    return heads(own());
  };
  const release = () => {
    pressed = false;
    if (late) draw();
  };
  element.addEventListener("pointerdown", () => (pressed = true));
  for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => pressed && setTimeout(release, AFTER));
  const heads = (all) => {
    const owner = last.jobs.some((each) => !each.mine && each.job);
    part("ways").hidden = !all.length && !last.paused && !last.all_paused;
    part("pause").textContent = last.paused ? "Go on" : "Pause";
    part("pause").title = last.paused ? "Your jobs are drawn again" : "What is in work is finished; your other jobs wait";
    part("cancel-all").hidden = !all.some((each) => each.state === "waiting");
    part("pause-all").hidden = !owner && !last.all_paused;
    part("pause-all").textContent = last.all_paused ? "Let everybody go on" : "Pause everybody";
    if (last.all_paused && !owner) part("pause-all").hidden = true;
    const counts = document.querySelector('[data-count="queue"]');
    if (counts) counts.textContent = all.length ? String(all.length) : "";
    const said = last.held ? "The owner of this studio holds your jobs. They keep their place." : last.all_paused ? "The studio is paused: nothing is begun until its owner lets it go on." : last.paused ? "Your jobs are paused." : "";
    if (said || part("note").dataset.paused) write(part("note"), said);
    part("note").dataset.paused = said ? "yes" : "";
  };
  const others = () => {
    const strangers = last.jobs.filter((each) => !each.mine);
    const pictures = strangers.reduce((sum, each) => sum + each.pictures_total - each.pictures, 0);
    const many = strangers.length + last.more;
    write(part("others"), many ? `${many === 1 ? "Somebody's job" : `${many} jobs of others`} in the queue as well: ${pictures} picture${pictures === 1 ? "" : "s"}.` : "");
  };

  // ---- joined --------------------------------------------------------------------------------------------------------------------

  draggable(part("lanes"), {
    may: (id) => job(id)?.state === "waiting",
    begin: (id) => (dragged = id),
    drop: (id, before, to) => ((dragged = ""), to ? move(id, before, before ? "" : to) : draw()),
  });
  part("pause").addEventListener("click", () => act("pause", { paused: !last.paused, whole: false }));
  part("pause-all").addEventListener("click", () => act("pause", { paused: !last.all_paused, whole: true }));
  part("cancel-all").addEventListener("click", () => cancel(null));
  document.addEventListener("pointerdown", ({ target }) => {
    if (open && !(/** @type {Element} */ (target).closest?.(".queue-menu, .queue-job .round"))) ((open = ""), draw());
  });
  element.addEventListener("keydown", (event) => event.key === "Escape" && open && (event.stopPropagation(), (open = ""), draw()));
  on("queue", (news) => {
    const moved = news.jobs !== last?.jobs;
    last = news;
    if (moved) draw();
    else if (!open) goOn(); // a menu in use stays until the list is another one
  });
  setInterval(() => last?.jobs.length && !open && !document.hidden && element.getClientRects().length && draw(), 1000); // seconds go by
};
