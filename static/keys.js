// Keeps keys where they belong: ui/keys.py says why.
(() => {
  if (window.atelierKeys) return; // every run brings this file
  window.atelierKeys = true;

  let known = "0"; // how often the form was filled, as far as we went there
  setInterval(() => {
    const filled = document.querySelector(".st-key-keys [data-filled]")?.dataset.filled ?? known;
    if (filled === known) return;
    known = filled;
    if (filled !== "0") toTheForm(50);
  }, 100);

  // As soon as the form is drawn and no dialog lies over it: closing one gives the keyboard back to where it came from.
  function toTheForm(tries) {
    const form = document.querySelector(".st-key-generate");
    if (form && !document.querySelector('[data-testid="stDialog"]')) {
      setTimeout(() => {
        const { top } = form.getBoundingClientRect();
        if (top < 60 || top > innerHeight / 2) form.scrollIntoView(); // 60: under the bar
        form.querySelector("textarea")?.focus({ preventScroll: true });
      }, 200);
    } else if (tries > 0) setTimeout(() => toTheForm(tries - 1), 100);
  }

  window.addEventListener(
    "keydown",
    (event) => {
      const zoomed = event.key === "Escape" && document.querySelector(".zoomed:popover-open");
      if (!zoomed) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      zoomed.hidePopover();
    },
    { capture: true },
  );

  document.body.addEventListener("keydown", (event) => {
    const isShortcut = event.key === "Enter" && (event.ctrlKey || event.metaKey);
    if (isShortcut && document.querySelector('[data-testid="stDialog"]')) event.stopPropagation();
  });
})();
