// What the library offers a form: asked for when the page opens and whenever the library or the checkpoint has changed, then told
// to the form's racks as "atelier:lists". Dropdowns are filled by the server, which the event "refresh" asks to.
let checkpoint = atelier.forms[props.kind]?.checkpoint ?? null; // a tab may be opened later than the page
let turn = 0;

const fetchLists = async () => {
  const mine = ++turn;
  const lists = await server.lists(checkpoint ?? "").catch(() => null);
  if (!lists || mine !== turn || !element.isConnected) return;
  atelier.lists = { ...atelier.lists, [props.kind]: lists };
  window.dispatchEvent(new CustomEvent("atelier:lists", { detail: { kind: props.kind, lists } }));
};

window.addEventListener("atelier:form", (event) => {
  if (event.detail.kind !== props.kind || event.detail.values.checkpoint === checkpoint) return;
  checkpoint = event.detail.values.checkpoint;
  fetchLists();
});
window.addEventListener("atelier:library", () => {
  fetchLists();
  trigger("refresh");
});
atelier.lists = { ...atelier.lists, [props.kind]: props.first };
fetchLists();
trigger("refresh"); // the page was built when the server started; files may have come since
