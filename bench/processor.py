"""Processor time of our processes, as the kernel counts it: it says what something costs, however busy the machine."""

from contextlib import suppress

import psutil  # type: ignore[import-untyped]

from local.processes import Child


def tree(child: Child) -> list[psutil.Process]:
    """A child and everything that it started."""
    assert child.process is not None
    root = psutil.Process(child.process.pid)
    return [root, *root.children(recursive=True)]


def processor_of(process: psutil.Process) -> float:
    """Seconds, with those of what it started and that has ended."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def used_by(child: Child) -> float:
    """Seconds of processor of the whole tree since it began. What ends meanwhile is counted by whoever started it."""
    seconds = 0.0
    for process in tree(child):
        with suppress(psutil.NoSuchProcess):
            seconds += processor_of(process)
    return seconds
