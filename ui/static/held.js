// A value of the form that another component shows: that one says "atelier:hold", and hears "atelier:held" when the page sets it.
let last = props.value ?? "";
const tell = () => window.dispatchEvent(new CustomEvent("atelier:held", { detail: { id: props.own, value: last } }));

window.addEventListener("atelier:hold", (event) => {
  const { id, value } = event.detail;
  if (id !== props.own || value === last) return;
  last = value;
  props.value = value;
  trigger("change");
});
watch("value", () => {
  if ((props.value ?? "") === last) return;
  last = props.value ?? "";
  tell();
});
if (last) tell();
