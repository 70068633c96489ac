// What stands above the pictures of a day, a job or a board.

const DAY = new Intl.DateTimeFormat("en", { weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
const WHEN = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const written = (date) => `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")}`;

const day = (key) => {
  const [today, yesterday] = [0, 1].map((back) => {
    const date = new Date();
    date.setDate(date.getDate() - back);
    return written(date);
  });
  if (key === today) return "Today";
  return key === yesterday ? "Yesterday" : DAY.format(new Date(`${key}T00:00:00Z`));
};
const job = (first) => (first ? `${WHEN.format(new Date(first.created * 1000))} · ${first.prompt || "no prompt"}` : "");

/** @typedef {{ group: string, key: string, title: string, count: number, first: () => import("./messages.d.ts").GalleryPicture | undefined }} Section */

// `section(number)` says what is known of one.
/** @type {(section: (number: number) => Section) => (number: number) => string} */
export const titles = (section) => (number) => {
  const { group, key, title, count, first } = section(number);
  const name = { day: () => day(key), board: () => title || "On no board", job: () => job(first()) }[group]?.() ?? "";
  return `${name}${name && " · "}${count}`;
};
