"""Ends the processes of a supervisor that died without stopping them.

A supervisor that is killed cannot clean up. So it starts this small process first and keeps the write end of a pipe
to its standard input: one line `+PID SIGNAL` per child started, `-PID` per child that ended. The kernel closes the
pipe when the supervisor is gone, however it went; whatever is still listed is then sent its stop signal, and killed
when that does not help. A process group is addressed, since every child leads one. The standard library only, no
part of the product: it must start fast and never fail.
"""

import os
import signal
import sys
import time

GRACE_SECONDS = 10.0


def _send(pid: int, number: int) -> bool:
    """True while the group is there."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so for a group of zombies
        return False
    return True


def end(children: dict[int, int]) -> None:
    """Send each group its signal (`{pid: signal}`), wait, and kill what is left."""
    for pid, number in reversed(children.items()):
        _send(pid, number)
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and any(_send(pid, 0) for pid in children):
        time.sleep(0.05)
    for pid in children:
        _send(pid, signal.SIGKILL)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it outlives its supervisor by design
    children: dict[int, int] = {}
    for line in sys.stdin:
        pid, _, stop_signal = line[1:].partition(" ")
        if line.startswith("+"):
            children[int(pid)] = int(stop_signal)
        else:
            children.pop(int(pid), None)
    end(children)


if __name__ == "__main__":
    main()
