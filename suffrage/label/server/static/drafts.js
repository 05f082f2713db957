// What is chosen or written is kept on the server before it is sent.
const WAIT = 700;

export function startDrafts(form, clock) {
  const saved = document.getElementById("saved");
  let timer = null;
  let stopped = false;
  const save = async () => {
    clearTimeout(timer);
    timer = null;
    if (stopped) return;
    clock.tick();
    const body = new URLSearchParams(new FormData(form)).toString();
    try {
      const headers = { "Content-Type": "application/x-www-form-urlencoded", Accept: "application/json" };
      const answer = await fetch(form.dataset.draft, { method: "POST", body, headers, keepalive: body.length < 60_000 });
      if (answer.ok && !stopped) saved.textContent = document.body.dataset.saySaved;
    } catch { saved.textContent = ""; }
  };
  const later = () => {
    saved.textContent = "";
    clearTimeout(timer);
    timer = setTimeout(save, WAIT);
  };
  form.addEventListener("input", later);
  form.addEventListener("reordered", later);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden" && timer) save();
  });
  addEventListener("pagehide", () => { if (timer) save(); });
  return { stop() { stopped = true; clearTimeout(timer); timer = null; }, go() { stopped = false; } };
}
