"""The pictures of docs/screenshots/: small WebP files, and the page that shows them."""

import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, TimeoutError

from local.paths import ROOT
from tests.browser.conftest import settle

FOLDER = ROOT / "docs" / "screenshots"
PAGE = ROOT / "docs" / "screenshots.md"
WIDE, PHONE = 1280, 390
_QUALITY = 72
_HEAD = """# Screenshots

Every page in its states, made anew by `make screenshots` from the demo data and a made history of two years. Wide ones
are 1280 pixels, phones 390.
"""


@dataclass
class Gallery:
    """Takes pictures, and remembers what they are called: title → (file, what it shows), in the order taken."""

    taken: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def take(self, page: Page, title: str, state: str, *, at_most: int = 1500) -> None:
        """A picture of all of the page, down to `at_most` pixels; `state` says what it shows, "empty, dark"."""
        settle(page)
        page.mouse.move(0, 0)
        width = (page.viewport_size or {"width": WIDE})["width"]
        page.set_viewport_size({"width": width, "height": at_most})
        with suppress(TimeoutError):  # what lies under a dialog may never be asked for
            page.wait_for_function(
                "[...document.images].every(one => one.complete || one.getBoundingClientRect().top > innerHeight)",
                timeout=10_000,
            )
        page.wait_for_timeout(900)  # pictures and fonts fade in, charts take their size
        bottom = page.evaluate(
            "Math.max(...[...document.querySelectorAll('[data-testid=stMainBlockContainer] > div, [role=dialog]')]"
            ".map(part => part.getBoundingClientRect().bottom), 400)"
        )
        height = min(at_most, int(bottom) + 48)
        name = f"{title}-{state}".lower().replace(", ", "-").replace(" ", "-")
        with Image.open(io.BytesIO(page.screenshot(clip={"x": 0, "y": 0, "width": width, "height": height}))) as shot:
            FOLDER.mkdir(exist_ok=True)
            shot.save(FOLDER / f"{name}.webp", quality=_QUALITY, method=6)
        self.taken.setdefault(title, []).append((f"{name}.webp", state))

    def in_both_lights(self, open_page: Callable[[bool], Page], title: str, state: str) -> None:
        """The same page in the light and in the dark; `open_page` is told whether it is to be dark."""
        for dark in (False, True):
            self.take(open_page(dark), title, f"{state}, dark" if dark else state)

    def write(self) -> None:
        """The page with all of them, and away with the files that nobody takes any more."""
        lines = [_HEAD]
        for title, pictures in self.taken.items():
            lines.append(f"## {title}\n")
            for name, state in pictures:
                lines.append(f"{state[0].upper()}{state[1:]}:\n\n![{title}: {state}](screenshots/{name})\n")
        PAGE.write_text("\n".join(lines), encoding="utf-8")
        known = {name for pictures in self.taken.values() for name, _ in pictures}
        for path in _others(known):
            path.unlink()


def _others(known: set[str]) -> list[Path]:
    return [path for path in FOLDER.glob("*.webp") if path.name not in known]
