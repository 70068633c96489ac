// Pictures and masks of the paint canvas: those that come in, from people, from Python and from this browser's store, and what is handed
// over before a job starts.
import * as store from "./canvas_store.js";
import { emit, later, pause } from "./dom.js";
import { limit } from "./numbers.js";
import { png } from "./png.js";

const RECENT = 2000; // milliseconds in which a mask and a picture that Python sets belong together
const NOTHING = "Put a picture on the canvas first: drop it, paste it, or open one.";

/** @param {import("./canvas_sheet.js").Sheet} sheet */
export const pictures = (sheet) => {
  let heard = { id: "", at: 0 }; // the newest mask that Python set
  let sent = ""; // the mask's id that was kept with what was restored
  let opening = Promise.resolve();
  const during = (words, act) => {
    opening = opening.then(async () => {
      sheet.say("alert");
      sheet.say("progress", words);
      await act().catch((problem) => sheet.say("alert", problem.message));
      sheet.say("progress");
    });
    return opening;
  };

  const open = (file) =>
    during("Uploading the picture…", async () => {
      const answer = await store.send("input?as=picture", file);
      const next = await store.picture(answer.id);
      const notes = [...(answer.notes ?? [])];
      await sheet.inTurn(async () => {
        sheet.replace(next);
        if (sheet.mode !== "mask" || sheet.over || !answer.mask) return;
        if (await load(answer.mask, true)) notes.push("The transparent parts of the picture are the mask.");
      });
      emit("opened", { kind: sheet.kind, width: next.width, height: next.height });
      sheet.say("notes", notes.join(" "));
    });

  const openMask = (file) => {
    if (!sheet.picture) return;
    during("Uploading the mask…", async () => {
      const answer = await store.send(`input?as=mask&width=${sheet.picture.width}&height=${sheet.picture.height}`, file);
      if (!(await sheet.inTurn(() => load(answer.id)))) throw new Error("This mask does not have the size of the picture.");
      sheet.say("notes", (answer.notes ?? []).join(" "));
    });
  };

  // Puts a mask of the server's onto the picture, when it has its size.
  const load = async (id, within = false) => {
    if (!sheet.picture || sheet.mode !== "mask") return false;
    const values = await store.mask(id, sheet.picture.width, sheet.picture.height);
    if (!values) return false;
    if (within) (sheet.layer.cells.set(values), sheet.journal.begin("")); // a part of the step that brought the picture
    else sheet.edit((cells) => cells.set(values));
    sheet.view.repaint();
    sheet.hold(id);
    sheet.changed(true);
    if (heard.id === id) heard = { id: "", at: 0 };
    return true;
  };

  // An empty canvas has the size of the form, and follows it until the first stroke.
  const emptied = () => {
    const size = (name) => limit(Math.round(Number(sheet.form[name])) || 512, 8, sheet.most);
    return store.revive({ id: "", blob: null, width: size("width"), height: size("height") });
  };
  const blank = () => sheet.inTurn(async () => sheet.replace(await emptied()));
  const isUntouched = () => sheet.sketches && sheet.picture && !sheet.picture.id && !sheet.history.past.at(-1)?.tiles && !sheet.history.future.length && !sheet.layer.bounds();
  const resizeBlank = later(250, () =>
    sheet.inTurn(async () => {
      const next = isUntouched() && (await emptied());
      if (!next || (next.width === sheet.picture.width && next.height === sheet.picture.height)) return;
      sheet.install(next);
      sheet.changed();
    }),
  );

  const gone = (problem) => {
    sheet.say("alert", problem.message);
    if (!problem.missing) return;
    if (sheet.picture) sheet.replace(null);
    sheet.setValue("");
  };

  // What Python or the page sets: settings of an old picture, a picture from another tab.
  const take = async () => {
    const id = sheet.props.value || "";
    if (id === sheet.stands) return;
    if (!id && sheet.restored) {
      const again = sheet.stands; // the form was put back later than this canvas
      sheet.restored = false;
      return sheet.setValue(again);
    }
    if (!id) return sheet.replace(null);
    const next = await store.picture(id).catch(gone);
    if (!next || (sheet.props.value || "") !== id) return;
    sheet.say("alert");
    sheet.replace(next);
    if (heard.id && Date.now() - heard.at < RECENT) await load(heard.id, true).catch(gone);
  };
  const hear = (told) => {
    if (!sheet.held || told.id !== sheet.held || told.value === sheet.mask) return;
    const id = told.value || "";
    if (!id && sheet.restored) return sheet.hold(sheet.mask, true);
    heard = { id, at: Date.now() };
    sheet.mask = id;
    const mine = heard;
    sheet.inTurn(async () => {
      await pause(50); // the picture may come with it
      if (heard !== mine || (sheet.props.value || "") !== sheet.stands) return;
      if (sheet.restored && id === sent) return; // what is painted since is newer than the mask that the form remembers
      if (!id) return sheet.layer && sheet.edit((cells) => cells.fill(0), true);
      if (!(await load(id))) throw new Error("The mask that came with these settings belongs to a picture of another size.");
    }).catch((problem) => sheet.say("alert", problem.message));
  };

  // Back to the step before the picture with this id was overwritten by something that came from the page.
  const former = (id) =>
    sheet.inTurn(async () => {
      const at = sheet.history.past.findLastIndex((entry) => !entry.tiles && (entry.stands === id || (entry.picture?.id ?? "") === id));
      while (at >= 0 && sheet.history.past.length > at) await sheet.back(sheet.history.past.pop(), sheet.history.future);
    });

  const place = (id, { keepMask = false } = {}) =>
    sheet.inTurn(async () => {
      const next = await store.picture(id);
      const same = keepMask && sheet.layer && next.width === sheet.picture.width && next.height === sheet.picture.height;
      const known = same && sheet.mode === "mask" && sheet.clean;
      sheet.replace(next, same ? sheet.layer : null);
      sheet.clean = known;
      if (!same) sheet.hold("");
    });

  const restore = async () => {
    const record = sheet.journal.onto(await store.load(sheet.kind));
    const now = sheet.props.value || "";
    if (!record?.picture || (now && ![record.sent.value, record.picture.id].includes(now))) return take();
    const { id, width, height } = record.picture;
    let found = null;
    try {
      found = await (id ? store.picture(id) : store.revive({ id: "", blob: null, width, height }));
    } catch (problem) {
      if (problem.missing) (store.forget(sheet.kind), sheet.journal.drop(true));
      return gone(problem);
    }
    sheet.install(found, record.layer);
    sheet.mask = "";
    sheet.clean = record.sent.clean;
    sheet.setValue(record.sent.value);
    sent = record.sent.mask;
    sheet.hold(sent);
    sheet.kept = record.fresh ? -1 : sheet.version;
    if (!record.fresh) sheet.journal.begin(record.stamp ?? "");
    else (sheet.jot(), sheet.save());
    if (record.view && !record.view.fitted) Object.assign(sheet.view, record.view);
    sheet.view.change();
    sheet.refresh();
    sheet.tell();
    sheet.restored = true;
  };

  // ---- what the request needs ---------------------------------------------------------------------------------------------

  const post = async (address, blob) => {
    const { id } = await store.send(address, blob);
    sheet.posted += blob.size;
    return id;
  };
  const deliver = async () => {
    const { width, height } = sheet.picture;
    const painted = sheet.layer.bounds();
    if (sheet.sketches) return sheet.setValue(!painted && sheet.picture.id ? sheet.picture.id : await post("input?as=picture", await store.flattened(sheet.picture, sheet.layer)));
    const file = painted && (await png(width, height, 1, sheet.layer.bytes));
    return sheet.hold(file ? await post(`input?as=mask&width=${width}&height=${height}`, file) : "");
  };
  const flush = async () => {
    await opening;
    return sheet.inTurn(async () => {
      sheet.endStroke();
      sheet.posted = 0;
      if (!sheet.picture) return NOTHING;
      if (sheet.clean || !sheet.paints) return "";
      const mine = sheet.version;
      try {
        await deliver();
      } catch (problem) {
        return problem.message;
      }
      sheet.clean = sheet.version === mine;
      sheet.kept = -1;
      sheet.jot();
      sheet.save();
      return "";
    });
  };

  const idle = () => opening.then(() => sheet.line); // all that was begun is done
  return { open, openMask, blank, isUntouched, resizeBlank, take, hear, former, place, restore, flush, idle };
};
