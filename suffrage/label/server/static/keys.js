// One key for everything; none while somebody types, and none that belongs to an input method.
const OFF = "suffrage.keys.off";

export function startKeys(form, ranking, texts) {
  const shortcuts = document.getElementById("shortcuts");
  const read = () => { try { return localStorage.getItem(OFF) !== "1"; } catch { return true; } };
  shortcuts.checked = read();
  shortcuts.addEventListener("change", () => {
    try { localStorage.setItem(OFF, shortcuts.checked ? "" : "1"); } catch { /* for this page only */ }
  });
  for (const link of document.querySelectorAll("[data-dialog]")) {
    link.addEventListener("click", (event) => { event.preventDefault(); open(link.dataset.dialog); });
  }
  const panel = document.getElementById("skip-panel"); // none while a vote is corrected
  if (panel) {
    panel.hidden = true; // its button opens it
    document.getElementById("skip-button").addEventListener("click", (event) => { event.preventDefault(); openSkip(); });
  }

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229 || event.repeat && event.key !== "Tab") return;
    const typing = isTyping(event.target);
    if (event.key === "Escape" && typing) return event.target.blur();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && form.contains(event.target)) {
      event.preventDefault();
      return form.requestSubmit();
    }
    if (typing || event.ctrlKey || event.altKey || event.metaKey) return;
    if (document.querySelector("dialog[open]") || !shortcuts.checked) return;
    if (act(event)) event.preventDefault();
  });

  function act(event) {
    const key = event.key.length === 1 ? event.key.toUpperCase() : event.key;
    if (key === "Enter") {
      if (event.target.closest("button, a, summary, select, #skip")) return false;
      form.requestSubmit();
      return true;
    }
    if (event.target.closest("#skip")) return false;
    if (ranking && ranking.key(key)) return true;
    const choice = form.querySelector(`input[data-key="${CSS.escape(key)}"]`);
    if (choice && !choice.matches(":disabled")) {
      choice.focus({ preventScroll: true }); // the chosen card shows it; the text being read stays put
      choice.click();
      return true;
    }
    const action = ACTIONS[key];
    if (action) action();
    return Boolean(action);
  }

  const ACTIONS = {
    U: () => document.getElementById("undo").requestSubmit(),
    S: openSkip,
    R: () => document.getElementById("reason").focus(),
    M: texts.raw,
    E: texts.all,
    G: () => open("guidelines-dialog"),
    "?": () => open("help-dialog"),
  };
}

function open(name) { document.getElementById(name).showModal(); }

function openSkip() {
  const panel = document.getElementById("skip-panel");
  if (!panel) return;
  panel.hidden = false;
  panel.open = true;
  panel.querySelector("input[type=radio]").focus();
  panel.scrollIntoView({ block: "center" });
}

function isTyping(target) {
  return target.isContentEditable || target.matches("textarea, select, input:not([type=radio], [type=checkbox])");
}
