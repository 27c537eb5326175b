// Keeps keys where they belong: ui/keys.py says why.
(() => {
  const filled = document.querySelector(".st-key-keys [data-filled]")?.dataset.filled ?? "0";
  const isNew = filled !== "0" && filled !== window.atelierFilled;
  window.atelierFilled = filled;
  if (isNew) toTheForm(50);

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

  if (window.atelierKeys) return; // every run brings this file
  window.atelierKeys = true;

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
