// The controls on the card of a control unit. Each is made from what the request declares of its field, and is then shown a value:
// part.show(value, look), where `look` is the field's description with whatever the moment changes of it.
import { make, write } from "./dom.js";
import { typedNumber } from "./numbers.js";

// A slider to feel and a number to type. `follow` hears of every move, `commit` of the number that was settled on.
export const number = (field, commit, follow = /** @type {(value: number) => void} */ (() => {})) => {
  let limit = field;
  let settled = field.default;
  let held = false; // it is being moved or typed: what is shown meanwhile must not disturb
  const slider = make("input", { type: "range" });
  const exact = make("input", { type: "number" });
  const name = make("span", { className: "unit-name" });
  const note = make("p", { className: "unit-info" });
  const fit = (input) => typedNumber(input, settled, limit);
  for (const input of [slider, exact]) {
    input.addEventListener("input", () => {
      held = true;
      if (input.value) (input === slider ? exact : slider).value = input.value;
      follow(fit(input));
    });
    input.addEventListener("change", () => {
      held = false;
      commit(fit(input));
    });
  }
  const show = (value, look) => {
    [limit, settled] = [look, value];
    write(name, look.title);
    write(note, look.info);
    for (const input of [slider, exact]) {
      Object.assign(input, { min: look.low, max: look.high, step: look.step, ...(held ? {} : { value }) });
      input.setAttribute("aria-label", `${look.title} of ${look.whose}`);
    }
  };
  return { root: make("div", { className: "unit-number" }, make("label", {}, name, slider), exact, note), show };
};

export const flag = (field, commit) => {
  const box = make("input", { type: "checkbox" });
  const name = make("span");
  const note = make("p", { className: "unit-info" });
  box.addEventListener("change", () => commit(box.checked));
  const show = (value, look) => {
    box.checked = value;
    box.setAttribute("aria-label", `${look.title} of ${look.whose}`);
    write(name, look.title);
    write(note, look.info);
  };
  return { root: make("div", { className: "unit-flag" }, make("label", {}, box, name), note), show };
};

// `look.options`: [{value, text, why, barred, group}]. One with a reason why it cannot be used is grey; one that is barred cannot be
// chosen, though it stays when it is what the unit holds. The reason stands below then.
export const choice = (field, commit) => {
  const select = make("select");
  const name = make("span", { className: "unit-name" });
  const note = make("p", { className: "unit-info" });
  const problem = make("p", { className: "unit-problem" });
  let offered = "";
  const option = ({ value, text, why, barred }) => make("option", { value, textContent: text, title: why ?? "", className: why ? "grey" : "", disabled: !!barred });
  const fill = (options) => {
    const groups = { undefined: select, "": select };
    select.replaceChildren();
    for (const each of options) {
      if (!groups[each.group]) select.append((groups[each.group] = make("optgroup", { label: each.group })));
      groups[each.group].append(option(each));
    }
  };
  select.addEventListener("change", () => commit(select.value));
  const show = (value, look) => {
    const options = look.options ?? field.names.map((each) => ({ value: each, text: each }));
    if (JSON.stringify(options) !== offered) fill(options);
    offered = JSON.stringify(options);
    select.value = value;
    select.setAttribute("aria-label", `${look.title} of ${look.whose}`);
    select.classList.toggle("grey", !!look.problem);
    write(name, look.title);
    write(note, look.info);
    write(problem, look.problem);
  };
  return { root: make("div", { className: "unit-choice" }, make("label", {}, name, select), problem, note), problem, show };
};

