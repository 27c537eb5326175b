"""One of something per process, such as a pool of connections."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """Made at the first call. Threads that come at once wait and get the same one: a second would leak its sockets."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self.made: T | None = None

    def __call__(self) -> T:
        with self._lock:
            if self.made is None:
                self.made = self._make()
            return self.made

    def cache_clear(self) -> None:
        """The next call makes a new one; what is there is not closed."""
        with self._lock:
            self.made = None
