// An order by keys, buttons, dragging or places: each way says the same to the form, whose places
// alone are sent. An answer without a place is not ranked yet.
export function startRanking(form) {
  const list = document.getElementById("order");
  const status = document.getElementById("status");
  const first = [...list.children];
  const total = first.length;
  const reset = document.getElementById("reset");
  const place = (item) => item.querySelector("select");
  const items = () => [...list.children];
  for (const tool of list.querySelectorAll("[data-move]")) tool.hidden = false;
  reset.hidden = false;

  // The list as groups: who shares a place with the one above.
  const tiedAbove = (item) => item.classList.contains("tied");
  const ranked = () => items().filter((item) => place(item).value);

  function write(upTo) {
    let now = 0;
    items().forEach((item, index) => {
      if (index === 0) item.classList.remove("tied");
      if (!tiedAbove(item)) now = index + 1;
      const given = index < upTo;
      place(item).value = given ? String(now) : "";
      if (!given) item.classList.remove("tied");
    });
    show();
    form.dispatchEvent(new Event("reordered"));
  }

  function show() {
    items().forEach((item, index) => {
      item.classList.toggle("placed", Boolean(place(item).value));
      item.querySelector("[data-move=up]").disabled = index === 0;
      item.querySelector("[data-move=down]").disabled = index === total - 1;
      const tie = item.querySelector("[data-move=tie]");
      tie.disabled = index === 0;
      tie.setAttribute("aria-pressed", String(tiedAbove(item)));
    });
  }

  function tell(item) {
    status.textContent = list.dataset.sayPlaced.replace("{name}", item.dataset.item)
      .replace("{place}", place(item).value || "–").replace("{total}", total);
  }

  function loosen(item) { // what was tied to this one is not tied to what comes above it now
    if (item.nextElementSibling && !tiedAbove(item)) item.nextElementSibling.classList.remove("tied");
    item.classList.remove("tied");
  }

  function move(item, way) {
    const other = way === "up" ? item.previousElementSibling : item.nextElementSibling;
    if (!other) return;
    loosen(item);
    if (way === "up") list.insertBefore(item, other); else list.insertBefore(other, item);
    if (item.nextElementSibling) item.nextElementSibling.classList.remove("tied");
    write(total);
    tell(item);
  }

  function pick(item) { // by its key: the next place
    const done = ranked();
    if (done.includes(item)) return;
    list.insertBefore(item, items()[done.length] || null);
    item.classList.remove("tied");
    write(done.length + 1 === total - 1 ? total : done.length + 1);
    tell(item);
  }

  function byPlaces() { // the selects were used: sort by them, keep ties, unplaced ones last
    const value = (item) => Number(place(item).value) || total + 1;
    const sorted = items().sort((a, b) => value(a) - value(b) || first.indexOf(a) - first.indexOf(b));
    const focused = document.activeElement;
    list.append(...sorted);
    sorted.forEach((item, index) => {
      const above = sorted[index - 1];
      item.classList.toggle("tied", Boolean(above && place(item).value && place(above).value === place(item).value));
    });
    if (focused) focused.focus();
    show();
    form.dispatchEvent(new Event("reordered"));
  }

  list.addEventListener("change", (event) => {
    if (event.target.matches("select")) { byPlaces(); tell(event.target.closest("li")); }
  });
  list.addEventListener("click", (event) => {
    const tool = event.target.closest("button[data-move]");
    if (!tool) return;
    const item = tool.closest("li");
    if (tool.dataset.move === "tie") {
      item.classList.toggle("tied");
      write(Math.max(ranked().length, items().indexOf(item) + 1));
      tell(item);
    } else move(item, tool.dataset.move);
    tool.disabled ? item.querySelector("select").focus() : tool.focus();
  });
  reset.addEventListener("click", clear);

  function clear() {
    for (const item of first) { item.classList.remove("tied"); place(item).value = ""; }
    list.append(...first);
    show();
    form.dispatchEvent(new Event("reordered"));
  }

  startDrag(list, (item) => {
    item.classList.remove("tied");
    if (item.nextElementSibling) item.nextElementSibling.classList.remove("tied");
    write(total);
    tell(item);
  });
  if (ranked().length) byPlaces(); else show();

  return {
    key(key) {
      if (key === "Backspace") { clear(); return true; }
      const item = first.find((one) => one.dataset.item === (key === "0" ? "10" : key));
      if (item) pick(item);
      return Boolean(item);
    },
  };
}

function startDrag(list, dropped) {
  let held = null;
  let moved = false;
  list.addEventListener("pointerdown", (event) => {
    const handle = event.target.closest("[data-move=drag]");
    if (!handle) return;
    event.preventDefault();
    held = handle.closest("li");
    moved = false;
    held.classList.add("dragged");
    handle.setPointerCapture(event.pointerId);
  });
  list.addEventListener("pointermove", (event) => {
    if (!held) return;
    const y = event.clientY;
    for (const item of list.children) {
      if (item === held) continue;
      const box = item.getBoundingClientRect();
      const middle = box.top + box.height / 2;
      const before = Boolean(held.compareDocumentPosition(item) & Node.DOCUMENT_POSITION_PRECEDING);
      if (before && y < middle) { if (held.nextElementSibling) held.nextElementSibling.classList.remove("tied"); list.insertBefore(held, item); moved = true; break; }
      if (!before && y > middle) { if (held.nextElementSibling) held.nextElementSibling.classList.remove("tied"); list.insertBefore(held, item.nextElementSibling); moved = true; }
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    list.addEventListener(end, () => {
      if (!held) return;
      held.classList.remove("dragged");
      if (moved) dropped(held);
      held = null;
    });
  }
}
