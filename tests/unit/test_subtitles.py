"""Subtitles: times that only go forward, text that cannot break the format, read back as they were meant."""

import html
import itertools
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.subtitles import LATEST, LONGEST_CUE, LONGEST_LINE, Cue, cues_of, grouped, text_of, to_srt, to_vtt

TIMES = st.one_of(st.none(), st.floats(allow_nan=True), st.floats(0, 50), st.integers(-5, 400_000), st.just("1.5"))
CHUNKS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"timestamp": st.lists(TIMES, min_size=2, max_size=2), "text": st.text()}),
        st.fixed_dictionaries({"timestamp": st.lists(TIMES, max_size=3), "text": st.one_of(st.none(), st.text())}),
        st.text(),
        st.none(),
    ),
    max_size=12,
)


def chunk(start: Any, end: Any, text: str) -> dict[str, Any]:
    return {"timestamp": [start, end], "text": text}


def read_srt(text: str) -> list[Cue]:
    """A reader of SubRip as players have it: blocks between empty lines."""
    found = []
    for number, block in enumerate(re.split(r"\r\n\r\n+", text.strip("\r\n")) if text else [], 1):
        counter, times, *lines = block.split("\r\n")
        assert counter == str(number)
        begin, end = re.fullmatch(r"(\d\d:\d\d:\d\d,\d{3}) --> (\d\d:\d\d:\d\d,\d{3})", times).groups()  # type: ignore[union-attr]
        found.append(Cue(clock(begin), clock(end), "\n".join(lines)))
    return found


def read_vtt(text: str) -> list[Cue]:
    """A reader of WebVTT, as its specification has it: a line with an arrow opens a cue, an empty one ends it."""
    header, *blocks = text.removesuffix("\n").split("\n\n")
    assert header == "WEBVTT"
    found = []
    for block in blocks:
        times, *lines = block.strip("\n").split("\n")
        begin, end = re.fullmatch(r"(\d\d:\d\d:\d\d\.\d{3}) --> (\d\d:\d\d:\d\d\.\d{3})", times).groups()  # type: ignore[union-attr]
        assert not any("-->" in line or "<" in line for line in lines)
        found.append(Cue(clock(begin), clock(end), html.unescape("\n".join(lines))))
    return found


def clock(text: str) -> int:
    hours, minutes, seconds, thousandths = map(int, re.split(r"[:.,]", text))
    assert minutes < 60
    assert seconds < 60
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + thousandths


@given(CHUNKS)
def test_cues_are_in_order_and_never_overlap(chunks: list[Any]) -> None:
    cues = cues_of({"chunks": chunks})
    for cue, following in itertools.pairwise(cues):
        assert cue.end <= following.start
    assert all(0 <= cue.start < cue.end <= LATEST for cue in cues)
    assert all(cue.text == " ".join(cue.text.split()) != "" for cue in cues)


@given(CHUNKS)
def test_both_formats_are_read_back(chunks: list[Any]) -> None:
    cues = list(cues_of({"chunks": chunks}))
    assert read_vtt(to_vtt(cues)) == cues
    assert read_srt(to_srt(cues)) == [Cue(cue.start, cue.end, cue.text.replace("-->", "→")) for cue in cues]


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 3), st.text(min_size=1, max_size=30)), max_size=30))
def test_grouping_keeps_every_word_and_the_limits(words: list[tuple[float, float, str]]) -> None:
    start, chunks = 0.0, []
    for pause, length, text in words:
        chunks.append(chunk(start + pause, start + pause + length, text))
        start += pause + length
    cues = cues_of({"chunks": chunks})
    groups = grouped(cues)
    assert " ".join(cue.text for cue in groups) == " ".join(cue.text for cue in cues)
    single = set(cues)
    for group in groups:
        assert group in single or (len(group.text) <= LONGEST_LINE and group.end - group.start <= LONGEST_CUE)
    for group, following in itertools.pairwise(groups):
        assert group.end <= following.start


def test_a_transcript_as_it_comes() -> None:
    data = {
        "text": "…",
        "chunks": [chunk(0.0, 1.52, " We started"), chunk(1.52, 3661.0049, " in a <small> room & bakery.")],
    }
    assert to_srt(cues_of(data)) == (
        "1\r\n00:00:00,000 --> 00:00:01,520\r\nWe started\r\n\r\n"
        "2\r\n00:00:01,520 --> 01:01:01,005\r\nin a <small> room & bakery.\r\n"
    )
    assert to_vtt(cues_of(data)) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.520\nWe started\n"
        "\n00:00:01.520 --> 01:01:01.005\nin a &lt;small&gt; room &amp; bakery.\n"
    )


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([chunk(2, 3, "b"), chunk(0, 1, "a")], [Cue(0, 1000, "a"), Cue(2000, 3000, "b")]),
        ([chunk(0, 5, "a"), chunk(2, 3, "b")], [Cue(0, 2000, "a"), Cue(2000, 3000, "b")]),
        ([chunk(4, None, "last")], [Cue(4000, 6000, "last")]),
        ([chunk(0, None, "a"), chunk(1, 2, "b")], [Cue(0, 1000, "a"), Cue(1000, 2000, "b")]),
        ([chunk(1, 1, "a"), chunk(1, 1, "b")], [Cue(1000, 1001, "a"), Cue(1001, 1002, "b")]),
        ([chunk(3, 2, "backwards")], [Cue(3000, 3001, "backwards")]),
        ([chunk(0, 1, "two\n\nlines")], [Cue(0, 1000, "two lines")]),
        ([chunk(None, 1, "a"), chunk(-1, 1, "b"), chunk(0, 1, "  "), chunk(float("nan"), 1, "c")], []),
    ],
)
def test_unusual_chunks(chunks: list[Any], expected: list[Cue]) -> None:
    assert list(cues_of({"chunks": chunks})) == expected


@pytest.mark.parametrize("data", [None, {}, {"chunks": None}, {"chunks": "none"}, {"chunks": []}])
def test_no_chunks_are_no_subtitles(data: Any) -> None:
    assert cues_of(data) == ()
    assert (to_srt(()), to_vtt(())) == ("", "WEBVTT\n")


def test_words_become_lines_that_end_with_their_sentence() -> None:
    words = (
        "It is here. Look at it now and for as long as you want to look at it, because it will stay for ever and ever"
    )
    chunks = [chunk(n * 0.25, n * 0.25 + 0.2, f" {word}") for n, word in enumerate(words.split())]
    texts = [cue.text for cue in grouped(cues_of({"chunks": chunks}))]
    assert texts[0] == "It is here."
    assert " ".join(texts) == words
    assert len(texts) == 3


def test_two_people_are_told_apart() -> None:
    said = [("SPEAKER_07", "Good"), ("SPEAKER_07", "morning."), ("SPEAKER_02", "Hello <you>"), ("SPEAKER_07", "there")]
    chunks = [chunk(n, n + 1, text) | {"speaker": speaker} for n, (speaker, text) in enumerate(said)]
    data = {"text": "Good morning. Hello <you> there", "chunks": chunks}
    cues = grouped(cues_of(data))
    assert [(cue.speaker, cue.text) for cue in cues] == [
        ("Speaker 1", "Good morning."),
        ("Speaker 2", "Hello <you>"),
        ("Speaker 1", "there"),
    ]
    assert "\r\nSpeaker 2: Hello <you>\r\n" in to_srt(cues)
    assert "\n<v Speaker 2>Hello &lt;you&gt;</v>\n" in to_vtt(cues)
    assert text_of(data) == "Speaker 1: Good morning.\n\nSpeaker 2: Hello <you>\n\nSpeaker 1: there"


def test_a_speaker_is_named_when_they_begin_and_a_single_one_never() -> None:
    two = [Cue(0, 1, "One.", "Speaker 1"), Cue(1, 2, "Two.", "Speaker 1"), Cue(2, 3, "Three.", "Speaker 2")]
    assert re.findall(r"Speaker \d: \w+", to_srt(two)) == ["Speaker 1: One", "Speaker 2: Three"]
    alone = {"text": " Just me. ", "chunks": [chunk(0, 1, "Just me.") | {"speaker": "SPEAKER_00"}]}
    assert cues_of(alone) == (Cue(0, 1000, "Just me."),)
    assert text_of(alone) == "Just me."
