"""One of something per process."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from core.once import Once


def test_threads_that_come_at_once_get_the_same_one() -> None:
    made: list[object] = []

    def slowly() -> object:
        made.append(object())
        time.sleep(0.05)
        return made[-1]

    get, barrier = Once(slowly), threading.Barrier(4)

    def ask() -> object:
        barrier.wait()
        return get()

    with ThreadPoolExecutor(4) as pool:
        found = [future.result() for future in [pool.submit(ask) for _ in range(4)]]
    assert found == made * 4


def test_what_is_forgotten_is_made_anew() -> None:
    get = Once(object)
    first = get()
    assert get() is first is get.made
    get.cache_clear()
    assert get.made is None
    assert get() is not first
