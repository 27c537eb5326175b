"""A transcript that fits a recording: about 2.6 words a second, in chunks whose times end with the sound."""

import random
from itertools import groupby
from typing import Any

from local.fal.inputs import Whisper

_WORDS_PER_SECOND = 2.6
_CHUNK_WORDS = (5, 11)
_TURN_WORDS = 24  # then the other one of two speakers goes on
_SENTENCES = (
    "We started in a small room above the bakery, with two wheels and one kiln.",
    "Every piece is thrown by hand, so no two of them are ever quite the same.",
    "The glaze is our own recipe, and it took us three winters to get it right.",
    "You can put it in the oven, you can drop it in the sink, and it will forgive you.",
    "I use mine every morning, and I still notice the colour.",
    "It arrives in a box that you will want to keep.",
    "People ask how long it lasts, and I tell them to ask their grandchildren.",
    "This autumn we are bringing back the terracotta, just for a few weeks.",
    "If you only try one thing from us this year, let it be this.",
    "Thank you for listening, and come and see us when you are in town.",
)


def transcribe(seconds: float, digest: str, given: Whisper) -> dict[str, Any]:
    """Whisper's output for a recording of so many seconds; the same recording always says the same."""
    rng = random.Random(digest)
    words = _words(rng, max(1, round(seconds * _WORDS_PER_SECOND)))
    per_word = seconds / len(words)
    size = {"none": len(words), "word": 1, "segment": rng.randint(*_CHUNK_WORDS)}[given.chunk_level]
    chunks: list[dict[str, Any]] = []
    for start in range(0, len(words), size):
        end = min(start + size, len(words))
        chunk: dict[str, Any] = {
            "timestamp": [round(start * per_word, 2), round(end * per_word, 2)],
            "text": " " + " ".join(words[start:end]),
        }
        if given.diarize:
            chunk["speaker"] = f"SPEAKER_{start // _TURN_WORDS % 2:02}"
        chunks.append(chunk)
    return {
        "text": " ".join(words),
        "chunks": chunks,
        "inferred_languages": [given.language or "en"],
        "diarization_segments": _segments(chunks) if given.diarize else [],
    }


def _segments(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Who speaks from when to when."""
    turns = [list(turn) for _, turn in groupby(chunks, key=lambda chunk: chunk["speaker"])]
    return [
        {"timestamp": [turn[0]["timestamp"][0], turn[-1]["timestamp"][1]], "speaker": turn[0]["speaker"]}
        for turn in turns
    ]


def _words(rng: random.Random, count: int) -> list[str]:
    words: list[str] = []
    while len(words) < count:
        for sentence in rng.sample(_SENTENCES, len(_SENTENCES)):
            words += sentence.split()
    return words[:count]
