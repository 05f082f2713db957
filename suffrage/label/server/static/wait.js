// Work may come back: look again now and then while somebody may be watching.
setInterval(() => { if (document.visibilityState === "visible") location.reload(); }, 30_000);
