"""A simulated fal.ai for a test file: started once, as new before each test, and spoken to with its ordinary key."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from local.fal.serving import RunningFal, running

SCHNELL = "fal-ai/flux/schnell"
VEO = "fal-ai/veo3.1/fast/image-to-video"


@pytest.fixture(name="server", scope="module")
def server_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFal]:
    with running(tmp_path_factory.mktemp("fal")) as fal:
        yield fal


def as_new(server: RunningFal, **behaviour: Any) -> RunningFal:
    """The server without what it has seen; quick, with tiny files, and what else `behaviour` says."""
    server.control("reset")
    server.control("behaviour", {"speed": 0, "tiny_outputs": True, "seed": 1, **behaviour})
    return server


@pytest.fixture(name="simulator")
def simulator_fixture(server: RunningFal) -> RunningFal:
    return as_new(server)


def client(simulator: RunningFal, key: str) -> httpx.Client:
    """Plain HTTP with a key; an empty one is none."""
    headers = {"Authorization": f"Key {key}"} if key else {}
    return httpx.Client(base_url=simulator.url, headers=headers, timeout=20, trust_env=False)


@pytest.fixture(name="http")
def http_fixture(simulator: RunningFal) -> Iterator[httpx.Client]:
    with client(simulator, simulator.key) as ordinary:
        yield ordinary


def wait_until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)
    return found
