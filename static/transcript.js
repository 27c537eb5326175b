// Lights the words that are being said, and jumps to the words that are clicked.
const player = document.querySelector("audio");
const cues = [...document.querySelectorAll("[data-from]")].map((element) => ({
  element,
  from: Number(element.dataset.from),
  to: Number(element.dataset.to),
}));

function light() {
  const now = player.currentTime * 1000;
  for (const cue of cues) {
    const said = now >= cue.from && now < cue.to && (!player.paused || now > 0);
    if (said && !cue.element.classList.contains("said")) cue.element.scrollIntoView({ block: "nearest" });
    cue.element.classList.toggle("said", said);
  }
  if (!player.paused) requestAnimationFrame(light);
}

for (const name of ["play", "pause", "seeked", "timeupdate"]) player.addEventListener(name, light);
for (const cue of cues) {
  cue.element.addEventListener("click", () => {
    player.currentTime = cue.from / 1000;
    player.play();
  });
}
