import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.fal.reasons import INFRASTRUCTURE, NOTHING_CHARGED, is_lock, lock_reason, plain_words

LOCKED = "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing."


@pytest.mark.parametrize(
    ("kind", "message", "words"),
    [
        ("content_policy_violation", "prompt: Refused", "refused this prompt"),
        ("no_media_generated", "", "without making anything"),
        ("file_download_error", "", "could not fetch your file"),
        ("image_too_small", "", "too small"),
        ("request_timeout", "", "could not start this in time"),
        ("runner_disconnected", "", "broke at fal.ai"),
        ("internal_error", "", "broke at fal.ai"),
        ("account_locked", "Exhausted balance", "locked the team's account: Exhausted balance."),
        ("", LOCKED, "locked the team's account: Exhausted balance. Top up your balance"),
        ("bad_key", "Invalid key", "key"),
        ("missing", "prompt: Field required", "prompt: Field required."),
        ("something_new", "", "gave no reason"),
    ],
)
def test_reasons_are_told_in_words(kind: str, message: str, words: str) -> None:
    assert words in plain_words(kind, message)


@given(st.sampled_from([*INFRASTRUCTURE, "content_policy_violation", "", "new"]) | st.text(), st.text())
def test_it_is_always_said_what_it_cost_and_what_to_do(kind: str, message: str) -> None:
    sentences = plain_words(kind, message)
    before, _, after = sentences.partition(NOTHING_CHARGED)
    assert before.strip().endswith((".", "!", "?", "…"))
    assert after.strip().endswith(".")


def test_the_reason_of_a_lock_is_taken_out() -> None:
    assert lock_reason(LOCKED) == "Exhausted balance. Top up your balance at fal.ai/dashboard/billing."
    assert lock_reason("User is locked.") == "fal.ai gave no reason"
    assert lock_reason("User budget is exceeded") == "User budget is exceeded"
    assert lock_reason("") == "fal.ai gave no reason"
    assert is_lock(LOCKED)
    assert not is_lock("prompt: Field required")
