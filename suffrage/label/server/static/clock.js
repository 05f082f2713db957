// Active time: it stands still while the page is hidden or nobody has touched it for a minute.
const IDLE = 60_000;

export function startClock(field) {
  let active = (parseFloat(field.value) || 0) * 1000;
  let touched = performance.now();
  let last = touched;
  const tick = () => {
    const now = performance.now();
    const until = Math.min(now, touched + IDLE);
    if (document.visibilityState === "visible" && until > last) active += until - last;
    last = now;
    field.value = (active / 1000).toFixed(1);
  };
  const touch = () => { tick(); touched = performance.now(); };
  for (const kind of ["keydown", "pointerdown", "pointermove", "wheel", "scroll", "touchstart"]) {
    addEventListener(kind, touch, { passive: true, capture: true });
  }
  // What passed before the change is counted by the state before it.
  document.addEventListener("visibilitychange", () => {
    const now = performance.now();
    if (document.visibilityState === "hidden") {
      const until = Math.min(now, touched + IDLE);
      if (until > last) active += until - last;
      field.value = (active / 1000).toFixed(1);
    }
    last = now;
  });
  setInterval(tick, 1000);
  field.value = (active / 1000).toFixed(1);
  return { tick };
}
