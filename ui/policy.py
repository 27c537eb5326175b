"""What browsers are told about every answer: where a page may load from, who may frame it, what it may use.

The Content-Security-Policy is the second wall: should text of somebody ever end up as markup in a page, it could load
no script of its own and send nothing anywhere. Pages with a policy of their own (`ui.embedded`) keep theirs.
"""

import base64
import hashlib
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import streamlit

from core.settings import Settings, get_settings

STRIPE_PAGES = "https://checkout.stripe.com"
_YEAR = 365 * 24 * 3600
_INLINE = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL)


def headers() -> dict[str, str]:
    """The headers of every answer that does not bring them itself."""
    return _headers(get_settings())


@lru_cache(maxsize=4)
def _headers(settings: Settings) -> dict[str, str]:
    found = {
        "Content-Security-Policy": content_policy(settings),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(self), payment=(), usb=()",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "SAMEORIGIN",
    }
    if settings.is_production:
        found["Strict-Transport-Security"] = f"max-age={_YEAR}"
    return found


def content_policy(settings: Settings) -> str:
    """Scripts from ourselves alone; pictures, video and sound also from Storage and fal.ai's media hosts.

    Streamlit's components make functions of strings (charts) and set styles inline, so these two stay allowed.
    """
    media = " ".join([_origin(settings.supabase_url), *map(_media_origin, settings.fal_media_hosts)]).strip()
    pay_pages = STRIPE_PAGES
    if urlsplit(settings.stripe_api_url).hostname != "api.stripe.com":
        pay_pages = _origin(settings.stripe_api_url)
    rules = {
        "default-src": "'self'",
        "script-src": f"'self' 'unsafe-eval' {' '.join(_inline_scripts())}",
        "style-src": "'self' 'unsafe-inline'",
        "font-src": "'self' data:",
        "img-src": f"'self' data: blob: {media}",
        "media-src": f"'self' data: blob: {media}",
        "connect-src": "'self' blob:",  # a recording is read back from the browser's own memory
        "worker-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": f"'self' {pay_pages}",  # browsers check where a form's answer sends them, too
        "frame-ancestors": "'self'",
    }
    return "; ".join(f"{name} {sources.strip()}" for name, sources in rules.items())


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _media_origin(host: str) -> str:
    """As `core.mirror` fetches from it: plain http only where the setting names a port."""
    return f"http://{host}" if ":" in host else f"https://{host}"


@lru_cache(maxsize=1)
def _inline_scripts() -> tuple[str, ...]:
    """Hashes of the scripts that stand in Streamlit's own page."""
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    digests = (hashlib.sha256(script.encode()).digest() for script in _INLINE.findall(page))
    return tuple(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
