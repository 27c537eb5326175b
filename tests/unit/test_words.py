"""How credits, money, times and titles are said, and that nobody's text can become markup."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui import words

NOW = datetime(2026, 11, 20, 14, 31, tzinfo=UTC)  # a Friday
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain words, and (some) signs; 50%?", r"plain words, and \(some\) signs; 50%?"),
        ("$a$ costs", r"\$a\$ costs"),
        ("**bold** _it_ `code`", r"\*\*bold\*\* \_it\_ \`code\`"),
        ("<b>x</b>", r"\<b\>x\</b\>"),
        ("[a](b)", r"\[a\]\(b\)"),
        ("line\nbreak\t here", "line break here"),
        (":material/home:", "\\:\u2060material/home\\:"),
        (":red[x]", "\\:\u2060red\\[x\\]"),
        (":smile:", "\\:\u2060smile\\:"),
        (":100:", "\\:\u2060100\\:"),
        ("16:9 and 14:02:11", r"16\:9 and 14" + "\\:\u206002\\:11"),
        ("a: b", r"a\: b"),
        ("www.evil.example", "www\u2060\\.evil\\.example"),
        ("https://x.example", "https\\:\u2060//x\\.example"),
        ("me@x.example", "me@\u2060x\\.example"),
        ("a & b &lt;", r"a \& b \&lt;"),
        ("", ""),
    ],
)
def test_escape_takes_the_meaning_out_of_markup(text: str, safe: str) -> None:
    assert words.escape(text) == safe


@given(st.text(max_size=80))
def test_escape_leaves_no_bare_markup_and_loses_no_word(text: str) -> None:
    safe = words.escape(text)
    assert "\n" not in safe
    bare = safe.replace("\\\\", "")
    for sign in "`*_{}[]()<>#$~&":
        assert bare.count(sign) == bare.count("\\" + sign)
    shown = safe.replace("\u2060", "")
    for sign in "\\`*_{}[]()<>#+-.!|$~:&^=":
        shown = shown.replace("\\" + sign, "\ue000" if sign == "\\" else sign)
    assert shown.replace("\ue000", "\\") == " ".join(text.split()).replace("\u2060", "")


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("0", "$0.00"),
        ("0.0001", "under $0.001"),
        ("0.0005", "$0.001"),
        ("0.003", "$0.003"),
        ("0.0994", "$0.099"),
        ("0.0995", "$0.10"),
        ("0.35", "$0.35"),
        ("20.8", "$20.80"),
        ("1234.567", "$1,234.57"),
        ("-3.2", "−$3.20"),
        ("-0.001", "−$0.001"),
    ],
)
def test_usd_has_three_decimals_below_ten_cents(amount: str, said: str) -> None:
    assert words.usd(Decimal(amount)) == said


@pytest.mark.parametrize(
    ("amount", "said"),
    [("0.4", "$0.40"), ("0.00125", "$0.00125"), ("12", "$12.00"), ("0.150000", "$0.15"), ("-1234.5", "−$1,234.50")],
)
def test_a_price_is_as_exact_as_it_is(amount: str, said: str) -> None:
    assert words.usd_exact(Decimal(amount)) == said


def test_usd_in_a_column_keeps_one_format() -> None:
    assert [words.usd(Decimal(amount), 3) for amount in ("0", "0.35", "-0.0001", "12")] == [
        "$0.000",
        "$0.350",
        "$0.000",
        "$12.000",
    ]


def test_counts_have_the_right_number_and_a_true_minus() -> None:
    assert [words.credits(n) for n in (0, 1, 2, 1000, -1)] == [
        "0 credits",
        "1 credit",
        "2 credits",
        "1,000 credits",
        "−1 credit",
    ]
    assert words.count(2, "day", "Tage") == "2 Tage"
    assert [words.signed(n) for n in (500, -25, 0)] == ["+500", "−25", "0"]


@pytest.mark.parametrize(("share", "said"), [("0.416", "42%"), ("0", "0%"), ("1", "100%"), ("0.005", "1%")])
def test_percent(share: str, said: str) -> None:
    assert words.percent(Decimal(share)) == said


@pytest.mark.parametrize(
    ("back", "said"),
    [
        (timedelta(seconds=-5), "Just now"),
        (timedelta(seconds=59), "Just now"),
        (timedelta(minutes=2), "2 min ago"),
        (timedelta(minutes=59, seconds=59), "59 min ago"),
        (timedelta(hours=14), "14 h ago"),
        (timedelta(hours=20), "Yesterday"),
        (timedelta(days=3), "Tue"),
        (timedelta(days=6), "Sat"),
        (timedelta(days=7), "13 Nov"),
        (timedelta(days=400), "16 Oct 2025"),
    ],
)
def test_ago_is_relative_today_and_a_day_after(back: timedelta, said: str) -> None:
    assert words.ago(NOW - back, NOW, UTC) == said


def test_ago_within_a_sentence_keeps_the_capitals_of_days_and_months() -> None:
    backs = (timedelta(0), timedelta(minutes=2), timedelta(days=1), timedelta(days=3), timedelta(days=30))
    said = [words.ago_within(NOW - back, NOW, UTC) for back in backs]
    assert said == ["just now", "2 min ago", "yesterday", "Tue", "21 Oct"]


def test_ago_goes_by_the_days_of_the_reader() -> None:
    shortly_after_midnight = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)  # 00:30 in Berlin
    before = shortly_after_midnight - timedelta(hours=8)
    assert words.ago(before, shortly_after_midnight, UTC) == "8 h ago"
    assert words.ago(before, shortly_after_midnight, BERLIN) == "Yesterday"
    assert words.ago(shortly_after_midnight - timedelta(hours=2), shortly_after_midnight, BERLIN) == "2 h ago"


def test_exact_times_are_in_the_readers_zone() -> None:
    assert words.exact(NOW, NOW, BERLIN) == "20 Nov, 15:31"
    assert words.exact(NOW - timedelta(days=365), NOW, UTC) == "20 Nov 2025, 14:31"
    assert words.clock(NOW, BERLIN) == "15:31:00"
    assert words.day(date(2026, 3, 1), date(2026, 11, 20)) == "1 Mar"


def test_zone_falls_back_to_utc() -> None:
    assert words.zone("Europe/Berlin") == BERLIN
    assert {words.zone(name) for name in (None, "", "Not/AZone", "../etc/passwd")} == {UTC}


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (4.6, "5 s"),
        (60, "1 min"),
        (108, "1 min 48 s"),
        (7200, "2 h"),
        (7500, "2 h 5 min"),
        (-3, "0 s"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert words.duration(seconds) == said
    assert words.duration(timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "about 5 s"), (38, "about 40 s"), (55, "about 55 s"), (56, "about 1 min"), (125, "about 2 min")],
)
def test_estimates_are_rounded_to_what_one_can_believe(seconds: float, said: str) -> None:
    assert words.about(seconds) == said


def test_lengths_of_clips() -> None:
    assert [words.clip_length(Decimal(s)) for s in ("5.0", "3.008", "72")] == ["0:05", "0:03", "1:12"]


@pytest.mark.parametrize(
    ("prompt", "title"),
    [
        ("Ribbon of light, slow orbit", "Ribbon of light, slow orbit"),
        (
            "Slow dolly over a misty fjord at dawn, pale sun above layered ridges",
            "Slow dolly over a misty fjord at dawn",
        ),
        ("Three glazed ceramic spheres on a linen cloth with soft light", "Three glazed ceramic spheres on a…"),
        ("x" * 100, "x" * 39 + "…"),
        ("  two\n lines  ", "two lines"),
        ("Ends with a dot.", "Ends with a dot"),
        ("", ""),
    ],
)
def test_headlines_are_short_and_end_at_a_word(prompt: str, title: str) -> None:
    assert words.headline(prompt) == title


@given(st.text(max_size=200), st.integers(min_value=12, max_value=60))
def test_headlines_never_exceed_their_limit(prompt: str, limit: int) -> None:
    assert len(words.headline(prompt, limit)) <= limit


def test_an_email_can_be_copied_and_is_no_markup() -> None:
    assert words.email("mara_c*@studio.example") == r"mara\_c\*@studio\.example"


def test_ids_and_initials() -> None:
    assert words.short_id("7f3c0000-1111-2222-3333-00000000a91e") == "7f3c…a91e"
    assert words.short_id("short") == "short"
    assert words.initials("Mara Lina Costa", "x@y") == "MC"
    assert words.initials("Mara", "x@y") == "M"
    assert words.initials(" ", "x@y") == "X"
    assert words.initials("<42>", "x@y") == "X"
    assert words.initials("Åsa (Lee)", "x@y") == "ÅL"
