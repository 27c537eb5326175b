import io
import json
import logging
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.log import REDACTED, configure, get_logger, log_context, redact, redact_text

KEY = "1b2c3d4e-aaaa-bbbb-cccc-1234567890ab:" + "0f9e8d7c6b5a4938271605f4e3d2c1b0"
OWN = "fK3+nQ8/vZ1pLw7xRb2TsYc5HdJm9GaEuX40"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjMifQ.c2lnbmF0dXJlLWJ5dGVz"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure("DEBUG", secrets=[OWN], stream=stream)
    yield stream
    configure(secrets=[], stream=stream)
    root.handlers[:] = handlers
    root.setLevel(level)


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json(lines: io.StringIO) -> None:
    job = UUID(int=7)
    get_logger("core.jobs").info("job_submitted", job_id=job, request_id="r-1", usd=Decimal("0.30"), tries=2, late=None)
    (line,) = written(lines)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "core.jobs",
        "event": "job_submitted",
        "job_id": str(job),
        "request_id": "r-1",
        "usd": "0.30",
        "tries": 2,
        "late": None,
    }


def test_a_line_break_in_a_value_does_not_break_the_line(lines: io.StringIO) -> None:
    get_logger("x").warning("odd", prompt="one\ntwo\r\n{}")
    assert written(lines)[0]["prompt"] == "one\ntwo\r\n{}"


def test_what_somebody_wrote_is_no_command_to_who_reads_the_log(lines: io.StringIO) -> None:
    """Other ends of lines would let a prompt write a line of its own, and a terminal obeys more than ESC."""
    text = "one\x85two\u2028three\u2029\x1b[2J\x9b2J\x7f\x00\u202egnorw\u2066\u200f"
    get_logger("x").warning("odd", prompt=text, **{f"name{text}": 1})
    (line,) = written(lines)  # by str.splitlines, which knows them all
    assert line["prompt"] == text
    assert lines.getvalue().rstrip("\n").isprintable()


def test_context_is_added_and_taken_away(lines: io.StringIO) -> None:
    log = get_logger("x")
    with log_context(job_id="j", request_id="r"):
        with log_context(request_id="s"):
            log.info("inner")
        log.info("outer")
    log.info("outside")
    inner, outer, outside = written(lines)
    assert (inner["job_id"], inner["request_id"], outer["request_id"]) == ("j", "s", "r")
    assert "job_id" not in outside


def test_an_exception_is_told_with_its_traceback_and_without_its_secrets(lines: io.StringIO) -> None:
    try:
        raise RuntimeError(f"Authorization: Key {KEY}")
    except RuntimeError:
        get_logger("x").exception("broken")
    (line,) = written(lines)
    assert line["error_class"] == "RuntimeError"
    assert "test_log.py" in line["traceback"]
    assert "0f9e8d7c" not in lines.getvalue()


def test_other_libraries_come_out_in_the_same_shape(lines: io.StringIO) -> None:
    logging.getLogger("other").warning("GET %s", "https://x.test/hook?job=1&token=abcdef123456")
    (line,) = written(lines)
    assert line["event"] == f"GET https://x.test/hook?job=1&token={REDACTED}"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Key {KEY}",
        f"Authorization: Bearer {JWT}",
        f"{{'authorization': 'Key {KEY}'}}",
        f'"Cookie": "atelier_session={OWN}"',
        f"Set-Cookie: atelier_session={OWN}; HttpOnly",
        f"https://q.test/m?fal_webhook=https%3A%2F%2Fs.test%2Fw%3Fjob%3D1%26token%3D{'ab12' * 16}",
        f"https://q.test/w?token={'ab12' * 16}&job=1",
        f"https://studio.test/password?token_hash=pkce_{'ab12' * 14}&type=recovery",
        f"refused {KEY} again",
        f"apikey: {OWN}",
        "stripe said sk_live_0f9e8d7c6b5a",
        "whsec_0f9e8d7c6b5a",
        "sb_secret_0f9e8d7c6b5a",
        f"storage signed ?token={JWT}",
        f"own value {OWN} anywhere",
        "own value fK3%2BnQ8%2FvZ1pLw7xRb2TsYc5HdJm9GaEuX40 encoded",
    ],
)
def test_secrets_are_cut_out_of_any_text(lines: io.StringIO, text: str) -> None:
    get_logger("x").info("event", text=text, nested={"deep": [text]})
    logging.getLogger("y").info(text)
    everything = lines.getvalue()
    assert REDACTED in everything
    for secret in ("0f9e8d7c", "ab12ab12", "c2lnbmF0dXJl", OWN, "fK3"):
        assert secret not in everything


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "Cookie",
        "set-cookie",
        "token",
        "access_token",
        "refresh_token",
        "password",
        "fal_key",
        "api_key",
        "APP_SECRET",
        "supabase_secret_key",
        "stripe_webhook_secret",
        "key",
        "apikey",
        "X-Api-Key",
    ],
)
def test_fields_with_secret_names_are_redacted_whatever_they_hold(name: str) -> None:
    assert redact({name: "plain"}) == {name: REDACTED}
    assert redact({name: ["plain"]}) == {name: REDACTED}


def test_loggers_that_write_by_themselves_write_through_ours(lines: io.StringIO) -> None:
    """As Streamlit's and Uvicorn's do: a handler and a format of their own, and nothing passed on."""
    other, theirs = logging.getLogger("tests.writes_by_itself"), io.StringIO()
    other.addHandler(logging.StreamHandler(theirs))
    other.propagate = False
    configure("DEBUG", secrets=[OWN], stream=lines)
    other.warning("GET /webhooks/fal?job=1&token=0f9e8d7c %s", OWN)
    assert theirs.getvalue() == ""
    assert written(lines)[-1]["event"] == f"GET /webhooks/fal?job=1&token={REDACTED} {REDACTED}"


def test_harmless_fields_stay_readable() -> None:
    facts = {"event_key": "fal:1:OK", "idempotency_key": "hold:1", "keys_kept": 2, "prompt": "a key on a cookie jar"}
    assert redact(facts) == facts
    assert (
        redact_text("duplicate key value violates unique constraint")
        == "duplicate key value violates unique constraint"
    )


def test_bytes_and_very_long_texts_are_not_written_out() -> None:
    assert redact(b"abc") == "3 bytes"
    assert len(redact("x" * 100_000)) < 5000


@given(
    st.recursive(
        st.none() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_value_can_be_logged(value: Any) -> None:
    json.dumps(redact(value), allow_nan=False)
