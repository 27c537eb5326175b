"""A transcript as subtitles: SRT as players read it, and WebVTT (W3C, "WebVTT: The Web Video Text Tracks Format").

Whisper gives chunks `{timestamp: [start, end], text}`, in seconds; the end may be missing, chunks may overlap, and with
`chunk_level: word` every word is one. What comes out is in order, never overlaps and never lasts less than nothing.
With `diarize` each chunk names its `speaker`; who speaks is told once there are two of them.
"""

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from itertools import groupby
from typing import Any, Final

LONGEST_LINE: Final = 84  # characters of one cue: two lines on screen
LONGEST_CUE: Final = 7_000  # milliseconds
SHORTEST_CUE: Final = 1  # milliseconds
GUESSED_CUE: Final = 2_000  # milliseconds, when nobody says when a last chunk ends
LATEST: Final = 359_999_999  # milliseconds: 99:59:59,999


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle. Milliseconds from the start; `text` is one line without markup, `speaker` empty or "Speaker 1"."""

    start: int
    end: int
    text: str
    speaker: str = ""


def cues_of(result_data: Mapping[str, Any] | None) -> tuple[Cue, ...]:
    """The chunks of a transcript as cues, in order; what has no time or no words is left out."""
    chunks = (result_data or {}).get("chunks")
    found = sorted(_spoken(chunks if isinstance(chunks, list) else []), key=lambda chunk: chunk[0])
    names = _names([speaker for *_, speaker in found])
    cues: list[Cue] = []
    for index, (start, end, text, speaker) in enumerate(found):
        following = found[index + 1][0] if index + 1 < len(found) else LATEST
        begin = max(start, cues[-1].end if cues else 0)
        if end is None:
            end = begin + GUESSED_CUE
        # A chunk ends when the next one begins, but is never cut to nothing.
        stop = max(min(end, max(following, begin + SHORTEST_CUE)), begin + SHORTEST_CUE)
        if stop <= LATEST:
            cues.append(Cue(begin, stop, text, names.get(speaker, "")))
    return tuple(cues)


def text_of(result_data: Mapping[str, Any] | None) -> str:
    """What was said; where several people speak, a paragraph for each turn with the speaker before it."""
    cues = cues_of(result_data)
    if not any(cue.speaker for cue in cues):
        return str((result_data or {}).get("text") or "").strip()
    return "\n\n".join(
        f"{speaker}: {' '.join(cue.text for cue in turn)}" if speaker else " ".join(cue.text for cue in turn)
        for speaker, turn in groupby(cues, key=lambda cue: cue.speaker)
    )


def grouped(cues: Sequence[Cue]) -> tuple[Cue, ...]:
    """Single words joined to readable subtitles: two lines, seven seconds, and no longer than a sentence."""
    groups: list[Cue] = []
    for cue in cues:
        last = groups[-1] if groups else None
        if (
            last is not None
            and last.speaker == cue.speaker
            and not last.text.endswith((".", "!", "?", "…", "。", "！", "？"))
            and len(last.text) + 1 + len(cue.text) <= LONGEST_LINE
            and cue.end - last.start <= LONGEST_CUE
            and cue.start - last.end < 1_000
        ):
            groups[-1] = Cue(last.start, cue.end, f"{last.text} {cue.text}", last.speaker)
        else:
            groups.append(cue)
    return tuple(groups)


def to_srt(cues: Iterable[Cue]) -> str:
    """SubRip: numbered from 1, `HH:MM:SS,mmm`, CRLF as the format has it. A text names who begins to speak."""
    blocks, speaker = [], ""
    for number, cue in enumerate(cues, 1):
        said = f"{cue.speaker}: {cue.text}" if cue.speaker and cue.speaker != speaker else cue.text
        speaker = cue.speaker
        # The arrow separates times: inside a text it would end the subtitle for some players.
        times = f"{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}"
        blocks.append(f"{number}\r\n{times}\r\n{said.replace('-->', '→')}\r\n")
    return "\r\n".join(blocks)


def to_vtt(cues: Iterable[Cue]) -> str:
    """WebVTT: `HH:MM:SS.mmm`, the text with `&`, `<` and `>` escaped, in a voice span where there are speakers."""
    blocks = []
    for cue in cues:
        text = html.escape(cue.text, quote=False)
        said = f"<v {cue.speaker}>{text}</v>" if cue.speaker else text
        blocks.append(f"\n{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{said}\n")
    return "WEBVTT\n" + "".join(blocks)


def _names(speakers: Sequence[str]) -> dict[str, str]:
    """Whisper's ids as people count: "Speaker 1" speaks first. Empty for a single speaker, whom nobody needs named."""
    known = [speaker for speaker in dict.fromkeys(speakers) if speaker]
    return {speaker: f"Speaker {number}" for number, speaker in enumerate(known, 1)} if len(known) > 1 else {}


def _spoken(chunks: list[Any]) -> Iterable[tuple[int, int | None, str, str]]:
    for chunk in chunks:
        times = chunk.get("timestamp") if isinstance(chunk, Mapping) else None
        if not isinstance(times, list | tuple) or len(times) != 2:
            continue
        start, end = _milliseconds(times[0]), _milliseconds(times[1])
        # One line: an empty line inside a cue would end it.
        text = " ".join(str(chunk.get("text") or "").replace("\x00", "").split())
        if start is not None and text:
            yield start, end, text, str(chunk.get("speaker") or "")


def _milliseconds(seconds: Any) -> int | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float | str | Decimal):
        return None
    try:
        value = Decimal(str(seconds))
    except InvalidOperation:
        return None
    if not value.is_finite() or not 0 <= value * 1000 <= LATEST:
        return None
    return int((value * 1000).to_integral_value(ROUND_HALF_UP))


def _clock(milliseconds: int, point: str) -> str:
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{thousandths:03}"
