// Keeps keys where they belong: ui/keys.py says why.
(() => {
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
