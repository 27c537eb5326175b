"""The connections of the pages send at once what there is to send.

Streamlit binds its socket itself and leaves the protocol open, and asyncio switches Nagle's algorithm off only for
sockets that say they are TCP: what a page sends in several parts then waits for the browser's acknowledgement of the
part before, which comes 40 ms later. A connection inherits the option from the socket that it was accepted on.
"""

import os
import socket
from contextlib import suppress
from pathlib import Path

_DESCRIPTORS = Path("/dev/fd")  # of this process, on Linux and macOS


def send_at_once() -> int:
    """Set TCP_NODELAY for whatever is accepted on this process's listening sockets; returns how many these are."""
    found = 0
    for name in os.listdir(_DESCRIPTORS) if _DESCRIPTORS.is_dir() else ():
        with suppress(OSError), socket.socket(fileno=os.dup(int(name))) as one:
            if one.type == socket.SOCK_STREAM and one.family in (socket.AF_INET, socket.AF_INET6) and _listens(one):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                found += 1
    return found


def _listens(one: socket.socket) -> bool:
    return bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
