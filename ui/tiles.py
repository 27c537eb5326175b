"""A produced file as a small square of HTML: the picture, the first frame of a video, or a stand-in."""

from html import escape

from core.models import Output
from ui import describe

_STAND_INS = {"model": "model.svg"}


def of_output(output: Output, alt: str, style: str = "") -> str:
    """`style` is a class beside `tile`. Empty while there is no address that a browser can load. Everything in it is
    escaped."""
    if not describe.is_web(output.url):
        return ""
    url, alt, style = escape(output.url or ""), escape(alt), escape(f"tile {style}".strip())
    kind = output.media_type.split("/")[0]
    if kind == "image":
        return f'<img class="{style}" src="{url}" alt="{alt}" loading="lazy">'
    if kind == "video":
        video = f'src="{url}#t=0.1" aria-label="{alt}" preload="metadata" muted playsinline'
        return f'<span class="film"><video class="{style}" {video}></video></span>'  # the span bears the triangle
    name = _STAND_INS.get(kind, "audio.svg")
    return f'<img class="{style}" src="/app/static/{name}" alt="{alt}" loading="lazy">'
