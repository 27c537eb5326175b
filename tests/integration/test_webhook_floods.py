"""Callers who want to keep the companion busy: slow, huge and many calls; a genuine one is believed all the same."""

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx

from core.request_body import LARGEST_BODY
from tests.integration.attack_scene import (
    Scene,
    changes_nothing_fixture,  # noqa: F401
    forged,
    keys_fixture,  # noqa: F401
    replayed,
    scene_fixture,  # noqa: F401
    signer_fixture,  # noqa: F401
    stripe,
    the_token_of_another_job,
)
from tests.integration.impatient_companion import REFETCH_PAUSE_S


def connect(scene: Scene, path: str, headers: Mapping[str, str], length: int) -> socket.socket:
    """A POST whose head is sent and whose body is still to come."""
    address = httpx.URL(scene.atelier.companion_url)
    known = {"Host": address.netloc.decode(), "Content-Length": str(length), "Content-Type": "application/json"}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in {**known, **headers}.items())]
    opened = socket.create_connection((address.host, address.port or 80), timeout=60)
    opened.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    return opened


def answered(opened: socket.socket) -> int:
    """The status that comes back, 0 when the connection just ends."""
    with closing(opened):
        try:
            line = opened.recv(4096).split(b"\r\n")[0]
        except ConnectionResetError:
            return 0
    return int(line.split()[1]) if line else 0


def path_of(scene: Scene) -> str:
    return scene.url.removeprefix(scene.atelier.companion_url)


def test_slow_bodies_are_given_up_and_hold_nobody_up(scene: Scene) -> None:
    fal = [connect(scene, path_of(scene), scene.call.headers, 1000) for _ in range(20)]
    stripe_ones = [connect(scene, "/webhooks/stripe", {"Stripe-Signature": "t=1,v1=0"}, 1000) for _ in range(20)]
    for opened in [*fal, *stripe_ones]:
        opened.sendall(b'{"a"')
    assert forged(scene) == 401  # others are answered meanwhile
    assert [answered(opened) for opened in [*fal, *stripe_ones]] == [408] * 40


def test_a_caller_who_hangs_up_leaves_nothing_behind(scene: Scene) -> None:
    log = scene.companion.log
    start = log.stat().st_size
    for _ in range(5):
        opened = connect(scene, path_of(scene), scene.call.headers, 1000)
        opened.sendall(scene.call.body[:10])
        opened.close()
    deadline = time.monotonic() + 30
    while (told := log.read_bytes()[start:].decode()).count("cut off") < 5:
        assert time.monotonic() < deadline, told
        time.sleep(0.05)
    assert "Traceback" not in told


def test_huge_bodies_are_not_held(scene: Scene) -> None:
    """What is sent altogether is many times what the companion grows by."""
    count, size = 24, LARGEST_BODY
    before = scene.process.memory_info().rss

    def flood(url: str, headers: Mapping[str, str]) -> int:
        def pieces() -> Iterator[bytes]:
            for _ in range(size // 65536 + 2):
                yield bytes(65536)

        try:
            return httpx.post(url, content=pieces(), headers=headers, timeout=60).status_code
        except httpx.TransportError:
            return 0  # it hung up on us before we were through

    with ThreadPoolExecutor(count) as pool:
        no_token = scene.atelier.webhook_url(scene.call.job, "0" * 64)
        kinds: list[tuple[str, Mapping[str, str], set[int]]] = [
            (no_token, scene.call.headers, {401, 0}),
            (scene.url, scene.call.headers, {413, 503, 0}),
            (scene.stripe_url, {"Stripe-Signature": "t=1,v1=0"}, {413, 503, 0}),
        ]
        for url, headers, allowed in kinds:
            assert set(pool.map(lambda _: flood(url, headers), range(count))) <= allowed  # noqa: B023
    grown = scene.process.memory_info().rss - before
    assert grown < 3 * count * size / 4, f"{grown / 2**20:.0f} MB"


def test_a_flood_of_unknown_keys_asks_for_the_keys_once_in_a_while(scene: Scene) -> None:
    asked, started = scene.keys.asked, time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: forged(scene), range(200)))
    assert set(statuses) == {401}
    assert scene.keys.asked - asked <= 1 + (time.monotonic() - started) / REFETCH_PAUSE_S


def test_the_genuine_call_is_believed_all_the_same_and_costs_more(scene: Scene) -> None:
    """Seconds of processor that the companion spends: on calls that it believes, and on as many that it does not."""

    def cost(send: Callable[[], int], expected: int) -> float:
        before = sum(scene.process.cpu_times()[:2])
        assert {send() for _ in range(100)} == {expected}
        spent: float = sum(scene.process.cpu_times()[:2]) - before
        return spent

    def genuine() -> int:
        return scene.post(scene.call.body, scene.call.signed(scene.call.body))

    assert genuine() == 200
    assert scene.atelier.row(scene.call.job)["status"] == "completed"
    assert stripe(scene) == 200  # about a session that is not ours: kept, and nothing is granted for it
    believed = cost(genuine, 200)
    for refused in (forged, replayed, the_token_of_another_job):
        assert cost(lambda: refused(scene), 401) <= believed * 1.5  # noqa: B023
