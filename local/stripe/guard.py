"""Who may press the simulator's buttons: this machine, from the simulator's own pages."""

import ipaddress

from starlette.requests import Request


def own_page(request: Request) -> bool:
    """Whether a form was sent from one of our pages, or by a program: other pages in the browser say so themselves."""
    origin = request.headers.get("origin")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    return origin in (None, own) and request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


def loopback(request: Request) -> bool:
    return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
