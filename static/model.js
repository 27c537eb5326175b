// The page around <model-viewer>: what the element cannot be told by attributes.
const viewer = document.querySelector("model-viewer");
const note = document.querySelector("p.note");

// Decoders for compressed models would come from elsewhere, which this page may not ask: such a model is an error.
viewer.addEventListener("error", () => {
  viewer.hidden = true;
  note.hidden = false;
});
if (matchMedia("(prefers-reduced-motion: reduce)").matches) viewer.removeAttribute("auto-rotate");
