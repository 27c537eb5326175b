"""The log of a run as its model would print it, worked out from the clock: no timer has to tick for it."""

import math
from datetime import UTC, datetime
from typing import Any

from local.fal.endpoints import Endpoint
from local.fal.records import QueuedRequest

_BAR_WIDTH = 10
_LINES = 12


def log_lines(request: QueuedRequest, endpoint: Endpoint, now: float) -> list[dict[str, Any]]:
    """What has been logged so far: `{message, level, source, timestamp}`, oldest first."""
    started = request.started_at
    if started is None:
        return []
    total = max(request.planned_seconds, 0.001)
    until = now if request.ended_at is None else request.ended_at
    lines = [_line("Loading the inputs", started)]
    if endpoint.steps and request.status_code in (None, 200):
        lines += _steps(endpoint.steps, started, total, until, finished=request.status_code == 200)
    if request.ended_at is not None:
        done = request.status_code == 200
        text = "Finished" if done else f"Stopped: {request.error or 'see the result'}"
        lines.append(_line(text, request.ended_at, "INFO" if done else "ERROR"))
    return lines


def _steps(steps: int, started: float, total: float, until: float, *, finished: bool) -> list[dict[str, Any]]:
    shown = sorted({round(steps * part / _LINES) for part in range(_LINES + 1)})
    lines = []
    for step in shown:
        elapsed = total * step / steps
        if started + elapsed > until and not finished:
            break
        if step == steps and not finished:
            break  # the last step is only known to be done when the file is there
        lines.append(_line(_bar(step, steps, elapsed), min(started + elapsed, until)))
    return lines


def _bar(step: int, steps: int, elapsed: float) -> str:
    filled = math.floor(_BAR_WIDTH * step / steps)
    bar = "#" * filled + " " * (_BAR_WIDTH - filled)
    rate = f"{step / elapsed:.2f}it/s" if elapsed else "?it/s"
    return f"{100 * step // steps:3d}%|{bar}| {step}/{steps} [{_clock(elapsed)}, {rate}]"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"


def _line(message: str, at: float, level: str = "INFO") -> dict[str, Any]:
    return {"message": message, "level": level, "source": "USER", "timestamp": iso(at)}


def iso(at: float) -> str:
    """Unix seconds as fal writes times."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
