"""How far a job is, from the log lines that its model writes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from core.fal.bodies import plain

MAX_MESSAGE: Final = 160  # characters
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_ADDRESS = re.compile(r"\bhttps?://\S+|\bdata:\S+")  # an input's address may carry a signature
# tqdm: "Sampling:  42%|████▏     | 12/28 [00:03<00:04,  3.51it/s]"
_PERCENT = re.compile(r"(?<![\d.])(\d{1,3}(?:\.\d{1,4})?)\s?%(\|)?")


@dataclass(frozen=True, slots=True)
class Progress:
    message: str | None = None  # the last line that says something
    share: Decimal | None = None  # 0 to 1


def read_progress(logs: Any) -> Progress:
    """From `logs: [{message, level, source, timestamp}]`; anything else than that reads as nothing known."""
    message: str | None = None
    share: Decimal | None = None
    for entry in reversed(logs) if isinstance(logs, list) else ():
        if not isinstance(entry, Mapping) or not isinstance(entry.get("message"), str):
            continue
        for line in reversed(re.split(r"[\r\n]+", _ANSI.sub("", entry["message"][-4000:]))):
            found = list(_PERCENT.finditer(line))
            if found and share is None and (percent := Decimal(found[-1][1])) <= 100:
                share = percent / 100
            text = line[: found[0].start()] if found and found[0][2] else line  # what stands before a bar
            if message is None and entry.get("level") != "DEBUG":
                message = plain(_ADDRESS.sub("…", text), MAX_MESSAGE).strip(" :-") or None
        if message is not None and share is not None:
            break
    return Progress(message, share)
