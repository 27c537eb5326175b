import asyncio
import socket
from collections.abc import Iterator

import pytest

import streamlit_app
from ui import sockets


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """As Streamlit makes it: bound, listening, and of no protocol in particular."""
    with socket.socket(socket.AF_INET) as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield one


def sends_at_once(listening: socket.socket) -> bool:
    with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
        return bool(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


def test_what_is_accepted_sends_at_once(listening: socket.socket) -> None:
    assert not sends_at_once(listening)
    assert sockets.send_at_once() >= 1
    assert sends_at_once(listening)
    assert listening.fileno() >= 0, "it is still open"


def test_the_pages_begin_with_it(listening: socket.socket) -> None:
    async def begin() -> None:
        async with streamlit_app.lifespan(streamlit_app.app):
            pass

    asyncio.run(begin())
    assert sends_at_once(listening)


def test_other_descriptors_are_left_alone() -> None:
    with socket.socket(socket.AF_INET) as idle, socket.socket(socket.AF_UNIX) as other:
        sockets.send_at_once()
        assert not idle.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert other.fileno() >= 0
