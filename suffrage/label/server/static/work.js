// The judging page. Everything works without this file; with it, by keyboard and over bad lines.
import { startClock } from "./clock.js";
import { startDrafts } from "./drafts.js";
import { startKeys } from "./keys.js";
import { startRanking } from "./ranking.js";
import { startSending } from "./sending.js";
import { startTexts } from "./texts.js";

const form = document.getElementById("vote");
const clock = startClock(form.elements.seconds);
const ranking = document.getElementById("order") ? startRanking(form) : null;
const texts = startTexts();
const drafts = startDrafts(form, clock);
startSending(form, clock, drafts);
startKeys(form, ranking, texts);
startStrength(form);
startCards(form);

// A page that the browser kept from before a vote would show what is judged already.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

// "How much better" belongs to A or B alone.
function startStrength(form) {
  const strength = document.getElementById("strength");
  if (!strength) return;
  const update = () => {
    const sided = ["1", "2"].includes(form.elements.choice.value);
    strength.disabled = !sided;
    strength.classList.toggle("off", !sided);
  };
  form.addEventListener("change", update);
  update();
}

// A click on a card chooses it, unless it marks text or works a button.
function startCards(form) {
  for (const card of form.querySelectorAll("[data-choose]")) {
    card.addEventListener("click", (event) => {
      if (event.target.closest("button, a, summary") || !getSelection().isCollapsed) return;
      form.querySelector(`[name="choice"][value="${card.dataset.choose}"]`).click();
    });
  }
}
