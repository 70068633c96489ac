// The state of the engine, told to the whole page as the event "atelier:engine"; light and dark.
const sign = element.querySelector('[data-part="engine"]');
element.querySelector('[data-part="look"]').addEventListener("click", () => atelier.toggleLook());

element.querySelector('[data-part="skip"]').addEventListener("click", (event) => {
  event.preventDefault();
  const panel = [...document.querySelectorAll('#tabs > [role="tabpanel"]')].find((each) => each.getClientRects().length);
  const first = [...(panel?.querySelectorAll("textarea, input, select, button, summary, [tabindex='0']") ?? [])];
  first.find((each) => !each.disabled && each.getClientRects().length)?.focus();
});
element.querySelector('[data-part="leave"]').addEventListener("click", async () => {
  await fetch("logout", { method: "POST" }).catch(() => {});
  location.reload();
});

const PAUSE = { starting: 1500, lost: 2000, ready: 6000, troubled: 3000, failed: 15000 }; // milliseconds until the next look
const SIGNS = { ready: "", lost: "Connection lost, trying again…" };

const look = async () => {
  try {
    const answer = await fetch("current", { headers: { Accept: "application/json" } });
    if (answer.status === 401) return { state: "failed", message: "Your login has run out. Reload the page." };
    if (!answer.ok) throw new Error(String(answer.status));
    const news = await answer.json();
    return { ...news.engine, job: news.job, newest: news.newest, library: news.library, login: news.login };
  } catch {
    return { state: "lost", message: SIGNS.lost };
  }
};

const tell = (engine) => {
  const words = engine.state === "ready" ? SIGNS.ready : engine.message;
  if (sign.textContent !== words) sign.textContent = words;
  sign.dataset.state = engine.state;
  if ("library" in engine && atelier.engine && atelier.engine.library !== engine.library) window.dispatchEvent(new Event("atelier:library"));
  if ("login" in engine) element.querySelector('[data-part="leave"]').hidden = !engine.login;
  atelier.engine = engine;
  window.dispatchEvent(new CustomEvent("atelier:engine", { detail: engine }));
};

const watchEngine = async () => {
  while (element.isConnected) {
    tell(await look());
    await new Promise((done) => {
      const timer = setTimeout(done, PAUSE[atelier.engine.state] ?? 5000);
      window.addEventListener("atelier:look", () => (clearTimeout(timer), done()), { once: true });
    });
  }
};
watchEngine();
