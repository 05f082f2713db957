// Long texts fold until asked for; texts with markup can be seen as they were written.
const RAW = "suffrage.raw";

export function startTexts() {
  const say = document.body.dataset;
  const main = document.getElementById("content");
  const toggle = document.getElementById("raw-toggle");
  const folded = [];
  try { if (localStorage.getItem(RAW) === "1") main.classList.add("plain"); } catch { /* as it was sent */ }

  for (const text of document.querySelectorAll(".text.long")) {
    text.classList.add("collapsed");
    const shown = [...text.children].find((part) => part.offsetParent !== null);
    if (!shown || shown.scrollHeight <= shown.clientHeight + 40) { text.classList.remove("collapsed"); continue; }
    const button = document.createElement("button");
    button.type = "button";
    button.className = "second-button expand";
    const length = say.sayLength.replace("{n}", Number(text.dataset.length).toLocaleString());
    const set = (open) => {
      text.classList.toggle("collapsed", !open);
      button.textContent = open ? say.sayShrink : `${say.sayExpand} (${length})`;
      button.setAttribute("aria-expanded", String(open));
    };
    button.addEventListener("click", () => set(text.classList.contains("collapsed")));
    set(false);
    text.append(button);
    folded.push({ text, set });
  }

  function raw() {
    const plain = main.classList.toggle("plain");
    toggle.setAttribute("aria-pressed", String(plain));
    try { localStorage.setItem(RAW, plain ? "1" : ""); } catch { /* for this page only */ }
  }
  function all() {
    const open = folded.some(({ text }) => text.classList.contains("collapsed"));
    for (const { set } of folded) set(open);
  }
  toggle.hidden = !document.querySelector(".formatted");
  toggle.setAttribute("aria-pressed", String(main.classList.contains("plain")));
  toggle.addEventListener("click", (event) => { event.preventDefault(); raw(); });
  toggle.addEventListener("keydown", (event) => { if (event.key === " ") { event.preventDefault(); raw(); } });
  return { raw, all };
}
