"""Which addresses are whose: what we fetch ourselves comes from fal.ai's media hosts alone, and what fal.ai is given to
fetch is no place inside anybody's network.

Addresses are read by the same parser that the fetching uses, so that the two cannot disagree about the host.
"""

import re
from ipaddress import ip_address

import httpx

from core.settings import get_settings

_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_INNER = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "arpa")


def is_media_host(url: str) -> bool:
    """Whether an address is on one of FAL_MEDIA_HOSTS: https, or plain http where the setting names a port (local)."""
    parsed = _parsed(url)
    if parsed is None:
        return False
    host, hosts = parsed.host.lower(), get_settings().fal_media_hosts
    if parsed.scheme == "https":
        return (parsed.port is None and host in hosts) or f"{host}:{parsed.port}" in hosts
    return parsed.scheme == "http" and parsed.port is not None and f"{host}:{parsed.port}" in hosts


def may_be_input(url: str) -> bool:
    """Whether fal.ai may be asked to fetch this: a media host, or a name of the open internet."""
    return is_media_host(url) or ((parsed := _parsed(url)) is not None and _is_public_name(parsed.host.lower()))


def _parsed(url: str) -> httpx.URL | None:
    """An http(s) address without user information, or None."""
    if not _PRINTABLE.fullmatch(url) or "\\" in url:
        return None
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError, UnicodeError):
        return None
    return parsed if parsed.scheme in ("http", "https") and parsed.host and not parsed.userinfo else None


def _is_public_name(host: str) -> bool:
    name = host.rstrip(".")
    try:
        return ip_address(name).is_global
    except ValueError:
        last = name.rpartition(".")[2]
        # A name that ends in a number is an address in disguise: 0x7f.1, 2130706433, 127.1.
        return "." in name and last not in _INNER and not re.fullmatch(r"0x[0-9a-f]*|[0-9]+", last)
