// A vote is kept in this browser until the server has it: sent again after a lost connection, or
// when the page is opened again. The page's client_id makes the same vote sent twice one vote.
const PAUSES = [1, 2, 4, 8, 15];
const FORM = "application/x-www-form-urlencoded";

export function startSending(form, clock, drafts) {
  const say = document.body.dataset;
  const box = `suffrage.outbox.${say.tag}`;
  const status = document.getElementById("status");
  const problem = document.getElementById("problem");
  const confirm = document.getElementById("confirm");
  const skip = document.getElementById("skip"); // none while a vote is corrected
  let timer = null;
  let tries = 0;
  let busy = false;

  const keep = (parcel) => { try { localStorage.setItem(box, JSON.stringify(parcel)); } catch { /* full or forbidden: the page keeps it */ } };
  const drop = () => { try { localStorage.removeItem(box); } catch { /* as above */ } };
  const kept = () => { try { return JSON.parse(localStorage.getItem(box)); } catch { return null; } };

  function freeze(still) {
    form.inert = still;
    if (skip) skip.inert = still;
  }

  function start(url, body) {
    busy = true;
    freeze(true);
    drafts.stop();
    tries = 0;
    send({ url, body });
  }

  async function send(parcel) {
    clearTimeout(timer);
    timer = null;
    let answer;
    try {
      const headers = { "Content-Type": FORM, Accept: "application/json" };
      answer = await fetch(parcel.url, { method: "POST", body: parcel.body, headers, redirect: "error" });
    } catch { return again(parcel); }
    if (answer.status === 429 || answer.status >= 500) return again(parcel);
    drop();
    if (answer.status === 409 || answer.status === 410) return location.assign("/work?note=gone");
    const said = await answer.json().catch(() => ({}));
    if (!answer.ok) return refuse(said);
    location.assign(parcel.late ? "/work?note=sent" : said.next || "/work");
  }

  function again(parcel) {
    status.textContent = say.sayOffline;
    const pause = PAUSES[Math.min(tries++, PAUSES.length - 1)];
    timer = setTimeout(() => { timer = null; send(parcel); }, pause * 1000);
    addEventListener("online", () => { if (timer) send(parcel); }, { once: true });
  }

  function refuse(said) {
    busy = false;
    freeze(false);
    drafts.go();
    status.textContent = "";
    const line = document.createElement("p");
    line.textContent = said.confirm ? said.message : say.sayRefused.replace("{message}", said.message || "");
    problem.replaceChildren(line);
    if (confirm) confirm.hidden = !said.confirm;
    const field = said.confirm ? confirm.querySelector("button") : form.elements[said.field];
    const target = field instanceof RadioNodeList ? field[0] : field;
    if (target && target.focus) target.focus();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (busy) return;
    clock.tick();
    const fields = new URLSearchParams(new FormData(form, event.submitter));
    const parcel = { url: form.getAttribute("action"), body: fields.toString() };
    keep({ ...parcel, late: true });
    problem.replaceChildren();
    start(parcel.url, parcel.body);
  });
  if (skip) skip.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!busy) start(skip.getAttribute("action"), new URLSearchParams(new FormData(skip)).toString());
  });

  const waiting = kept();
  if (waiting && String(waiting.url).startsWith("/work/")) {
    busy = true;
    freeze(true);
    const fields = new URLSearchParams(waiting.body);
    fields.set("token", form.elements.token.value); // the link may have been opened anew since
    drafts.stop();
    status.textContent = say.sayOffline;
    send({ url: waiting.url, body: fields.toString(), late: true });
  }
}
