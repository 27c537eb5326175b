"""Our own address as others see it: where it leads, and whether the companion answers there."""

import socket
from ipaddress import ip_address
from urllib.parse import urlsplit

from core.connections.asking import Answer, Unanswered
from core.connections.finding import About, Finding


def private_addresses(url: str) -> str:
    """The address that a URL leads to, when others cannot reach it; empty when it is public. Raises Unanswered when the
    name is not known."""
    host = urlsplit(url).hostname or ""
    try:
        found = {str(line[4][0]) for line in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:
        raise Unanswered(
            f"The name {host} is not known here: the address is mistyped, or this machine is offline.", f"DNS {host}"
        ) from error
    private = sorted(address for address in found if not ip_address(address.partition("%")[0]).is_global)
    return ", ".join(private)


def is_companion(about: About, answer: Answer) -> Finding:
    """A GET where only a POST is taken: the companion says so (405), anything else is somebody else."""
    if answer.status == 405 and "POST" in answer.headers.get("allow", ""):
        return about.found("works", "The companion answers there.", "", answer.asked)
    if answer.is_success:
        said = (
            "Something else answers there, most likely the pages: the proxy does not send /webhooks to the companion."
        )
        todo = "Send /webhooks/ to the companion's port, as docs/deploy/nginx.conf does."
    elif answer.status in (502, 503, 504):
        said = f"The proxy answers (HTTP {answer.status}) and cannot reach the companion."
        todo = "Start the companion, and see that the proxy knows its port (COMPANION_PORT)."
    elif 300 <= answer.status < 400:
        said = f"This address leads on to another one (HTTP {answer.status}), which callers do not follow."
        todo = "Set PUBLIC_URL to the address that it leads to, most likely with https."
    else:
        said = f"What answers there is not the companion (HTTP {answer.status})."
        todo = "Send /webhooks/ to the companion's port, as docs/deploy/nginx.conf does."
    return about.found("refused", said, todo, answer.asked)
