// Presses the button of every pulse on the page when it is due, while somebody looks: ui/pulse.py says why.
(() => {
  if (window.atelierPulse) return; // every fragment with a pulse brings this file
  window.atelierPulse = true;
  const pulses = new Map(); // by name: when it was last drawn or pressed
  let moved = Date.now();

  function look() {
    if (document.visibilityState !== "visible") return;
    const now = Date.now();
    for (const mark of document.querySelectorAll("[data-pulse]")) {
      const { pulse: name, every, idleEvery, idleAfter, drawn } = mark.dataset;
      let seen = pulses.get(name);
      if (seen?.drawn !== drawn) pulses.set(name, (seen = { drawn, at: now }));
      const wait = now - moved < idleAfter * 1000 ? every : idleEvery;
      if (now - seen.at < wait * 1000) continue;
      seen.at = now;
      mark.closest(`.st-key-pulse-${name}`)?.querySelector("button")?.click();
    }
  }

  function move() {
    moved = Date.now();
    look();
  }

  for (const sign of ["pointermove", "pointerdown", "keydown", "wheel"])
    window.addEventListener(sign, move, { passive: true, capture: true });
  document.addEventListener("visibilitychange", move);
  setInterval(look, 250);
})();
