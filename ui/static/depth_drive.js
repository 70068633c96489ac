// What reads the depth map: said after each change of the checkpoint or the units, and set by two buttons.
const part = (name) => element.querySelector(`[data-part="${name}"]`);
const { kind } = props;
const WAYS = ["checkpoint", "controlnet"];
let held = null; // {checkpoint, controls} of the form, as text
let found = null; // what a press has found
let turn = 0; // an answer that comes after a newer question is thrown away

const of = ({ checkpoint, controls }) => ({ checkpoint, controls });
const problem = (words = "") => {
  part("problem").textContent = words;
  part("problem").hidden = !words;
};

const look = async () => {
  const mine = ++turn;
  const said = await server.reading(JSON.parse(held)).catch(() => null);
  if (!said || mine !== turn || !element.isConnected) return;
  for (const way of WAYS) part(way).setAttribute("aria-pressed", String(said[way]));
  part("words").textContent = said.words;
};
const hear = (values) => {
  const next = JSON.stringify(of(values));
  if (next === held) return;
  held = next;
  problem();
  look();
};

const press = async (way) => {
  if (!held) return;
  const answer = await server.drive({ way, ...JSON.parse(held) }).catch(() => null);
  if (!answer?.checkpoint) return problem(answer?.message || "The studio did not answer. Try again.");
  problem();
  found = answer;
  if (JSON.stringify(of(found)) === held) return;
  atelier.snapshot(kind);
  trigger("settle");
};
// The values of the form with what was found; a checkpoint brings its own where they are untouched.
atelier.driven = (names) => {
  const values = names.map((name) => found?.[name] ?? atelier.forms[kind][name]);
  const fresh = atelier.follow(kind, names, values, atelier.forms[kind].checkpoint);
  return values.map((value, place) => fresh[place] ?? value);
};

for (const way of WAYS) part(way).addEventListener("click", () => press(way));
window.addEventListener("atelier:form", ({ detail }) => detail.kind === kind && hear(detail.values));
window.addEventListener("atelier:library", () => held && look());
if (atelier.forms[kind]) hear(atelier.forms[kind]);
