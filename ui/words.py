"""How the interface says things: credits, money, times, titles. Pure functions, no Streamlit.

Everything that is put into markdown and was written by a person, or came from outside, goes through `escape` first.
"""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MINUS = "−"
PROVIDERS = {"fal": "fal.ai", "stripe": "Stripe"}
_WORD_JOINER = "\u2060"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_CLAUSE = re.compile(r"[.;:!?](?:\s|$)|,\s|\s[–—-]\s")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|$~:&^=])")
# Shortcodes, icons, colour directives and bare links are found in the text *after* markdown has been parsed,
# where a backslash no longer helps: an invisible word joiner keeps them apart.
_DIRECTIVE = re.compile(r":(?=[A-Za-z/_+\-]|\w+:)")
_AUTOLINK = re.compile(r"(?i)\b(www)(?=\.)|(?<=\S)(@)(?=\S)")


def escape(text: str) -> str:
    """Text that shows as written in any markdown context: no formatting, no icons, no links, one line."""
    line = " ".join(text.split())
    line = _AUTOLINK.sub(lambda found: f"{found.group()}{_WORD_JOINER}", line)
    line = _DIRECTIVE.sub(f":{_WORD_JOINER}", line)
    return _MARKDOWN.sub(r"\\\1", line)


def email(address: str) -> str:
    """An address as it is, to be copied; Streamlit makes a mail link of it."""
    return _MARKDOWN.sub(r"\\\1", "".join(address.split()))


def number(value: int) -> str:
    """1,000 with a true minus."""
    return f"{value:,}".replace("-", MINUS)


def signed(value: int) -> str:
    """+500, −25, 0."""
    return f"+{value:,}" if value > 0 else number(value)


def count(value: int, noun: str, plural: str | None = None) -> str:
    """1 image, 2 images."""
    return f"{number(value)} {noun if abs(value) == 1 else plural or noun + 's'}"


def credits(value: int) -> str:
    """1 credit, 2 credits."""
    return count(value, "credit")


def usd(amount: Decimal, places: int | None = None) -> str:
    """USD. Below 10 cents three decimals, above two; `places` fixes it, for a column that keeps one format."""
    size = abs(amount)
    if places is None:
        if 0 < size < Decimal("0.0005"):
            return "under $0.001"
        places = 3 if 0 < size < Decimal("0.0995") else 2
    rounded = size.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    sign = MINUS if amount < 0 and rounded else ""
    return f"{sign}${rounded:,}"


def usd_exact(amount: Decimal) -> str:
    """USD as exact as it is, with two decimals at least: $0.40, $0.00125."""
    whole, _, part = f"{abs(amount):,f}".partition(".")
    return f"{MINUS if amount < 0 else ''}${whole}.{part.rstrip('0').ljust(2, '0')}"


def euros(amount: Decimal) -> str:
    """€79, €39.50: whole when it is."""
    size = abs(amount)
    text = f"{size:,.0f}" if size == size.to_integral_value() else f"{size:,.2f}"
    return f"{MINUS if amount < 0 else ''}€{text}"


def of_cents(cents: int) -> Decimal:
    """7900 cents are 79 euros."""
    return Decimal(cents) / 100


def euros_each(amount: Decimal) -> str:
    """A price per credit, as exact as needed: €0.19, €0.158."""
    exact = amount.quantize(Decimal("0.0001"), rounding=ROUND_HALF_UP)
    whole, _, part = f"{exact:,f}".partition(".")
    return f"€{whole}.{part.rstrip('0').ljust(2, '0')}"


def percent(share: Decimal) -> str:
    """42% of a share between 0 and 1."""
    return f"{(share * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP)}%"


def zone(name: str | None) -> tzinfo:
    """The browser's timezone by its IANA name; UTC when it is missing or unknown."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def day(when: date, today: date) -> str:
    """20 Nov; with the year when it is not this one."""
    text = f"{when.day} {_MONTHS[when.month - 1]}"
    return text if when.year == today.year else f"{text} {when.year}"


def clock(when: datetime, tz: tzinfo) -> str:
    """14:02:11."""
    return f"{when.astimezone(tz):%H:%M:%S}"


def exact(when: datetime, now: datetime, tz: tzinfo) -> str:
    """20 Nov, 14:31."""
    local = when.astimezone(tz)
    return f"{day(local.date(), now.astimezone(tz).date())}, {local:%H:%M}"


def ago(when: datetime, now: datetime, tz: tzinfo) -> str:
    """Today is relative (2 min ago, 1 h ago), then Yesterday, Tue, 20 Nov."""
    seconds = max(0, int((now - when).total_seconds()))
    local, today = when.astimezone(tz).date(), now.astimezone(tz).date()
    days = (today - local).days
    if seconds < 60:
        return "Just now"
    if seconds < 3600:
        return f"{seconds // 60} min ago"
    if days <= 0 or seconds < 6 * 3600:
        return f"{seconds // 3600} h ago"
    if days == 1:
        return "Yesterday"
    return _DAYS[local.weekday()] if days < 7 else day(local, today)


def ago_within(when: datetime, now: datetime, tz: tzinfo) -> str:
    """As `ago`, within a sentence: just now, yesterday, but Tue and 20 Nov."""
    text = ago(when, now, tz)
    return text.lower() if text in ("Just now", "Yesterday") else text


def duration(seconds: float | Decimal | timedelta) -> str:
    """5 s, 1 min 48 s, 2 h 5 min."""
    total = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
    whole = max(0, int(Decimal(str(total)).quantize(Decimal(1), rounding=ROUND_HALF_UP)))
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if minutes:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{rest} s"


def about(seconds: float) -> str:
    """about 40 s, about 2 min: an estimate, rounded up to what one can believe."""
    if seconds <= 55:
        return f"about {max(5, int((Decimal(str(seconds)) / 5).to_integral_value(rounding=ROUND_CEILING)) * 5)} s"
    return f"about {int((Decimal(str(seconds)) / 60).to_integral_value(rounding=ROUND_HALF_UP)) or 1} min"


def clip_length(seconds: Decimal) -> str:
    """0:05, 1:12: the length of a video or a recording."""
    whole = int(seconds.quantize(Decimal(1), rounding=ROUND_HALF_UP))
    return f"{whole // 60}:{whole % 60:02d}"


def headline(text: str, limit: int = 40) -> str:
    """A title from a prompt: all of it when short, else its first clause, else cut at a word. Not escaped."""
    line = " ".join(text.split()).rstrip(" ,;:.")
    if len(line) <= limit:
        return line
    clause = _CLAUSE.split(line, maxsplit=1)[0]
    if 12 <= len(clause) <= limit:
        return clause
    cut = line[: limit - 1]
    head, space, _ = cut.rpartition(" ")
    return (head if space and len(head) > limit // 2 else cut).rstrip(" ,;:.") + "…"


def short_id(value: str) -> str:
    """7f3c…a91e."""
    return value if len(value) <= 11 else f"{value[:4]}…{value[-4:]}"


def initials(full_name: str, email: str) -> str:
    """MC for Mara Costa; the first letter of the email when there is no name."""
    letters = [found.group() for found in re.finditer(r"\b[^\W\d_]", full_name)] or list(email[:1])
    return (letters[0] + (letters[-1] if len(letters) > 1 else "")).upper()
