from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.sealing import Keyring, hash_cookie, seal, token_for, token_matches, unseal

OLD, NEW = "an-old-secret-of-more-than-32-characters", "a-new-secret-of-more-than-32-characters"
JOB = UUID("6f9619ff-8b86-4d01-b42d-00cf4fc964ff")
RING = Keyring([NEW])


@given(st.binary(max_size=2000), st.text(max_size=20))
def test_what_is_sealed_opens_for_its_purpose_only(data: bytes, purpose: str) -> None:
    sealed = RING.seal(data, purpose)
    assert RING.unseal(sealed, purpose) == data
    assert RING.unseal(sealed, purpose + "x") is None


def test_sealing_hides_the_content_and_never_repeats_itself() -> None:
    one, two = RING.seal(b"refresh-token", "session"), RING.seal(b"refresh-token", "session")
    assert one != two
    assert "refresh-token" not in one


def test_another_secret_opens_nothing() -> None:
    assert Keyring([OLD]).unseal(RING.seal(b"data", "session"), "session") is None


def test_earlier_secrets_still_open_and_the_first_one_seals() -> None:
    before, during, after = Keyring([OLD]), Keyring([NEW, OLD]), Keyring([NEW])
    assert during.unseal(before.seal(b"data", "session"), "session") == b"data"
    assert after.unseal(during.seal(b"data", "session"), "session") == b"data"
    assert during.token_matches(JOB, before.token_for(JOB))
    assert after.token_matches(JOB, during.token_for(JOB))
    assert not after.token_matches(JOB, before.token_for(JOB))


@given(st.text())
def test_anything_else_does_not_open(sealed: str) -> None:
    assert RING.unseal(sealed, "session") is None


def test_a_changed_character_does_not_open() -> None:
    sealed = RING.seal(b"data", "session")
    for index in range(0, len(sealed), 7):
        changed = sealed[:index] + ("A" if sealed[index] != "A" else "B") + sealed[index + 1 :]
        assert RING.unseal(changed, "session") != b"data" or changed == sealed


@given(st.text())
def test_only_the_right_token_matches(token: str) -> None:
    assert RING.token_matches(JOB, token) == (token == RING.token_for(JOB))


def test_a_token_is_hexadecimal_and_belongs_to_one_job() -> None:
    token = RING.token_for(JOB)
    assert len(bytes.fromhex(token)) == 32
    assert RING.token_for(str(JOB).upper()) == token
    assert not RING.token_matches(UUID(int=JOB.int + 1), token)
    assert not RING.token_matches(JOB, "")


def test_a_keyring_needs_a_secret() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Keyring([])


def test_the_process_has_a_keyring_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from core import sealing
    from core.settings import load

    monkeypatch.setattr(sealing, "get_settings", lambda: load({"APP_SECRET": f"{NEW},{OLD}"}))
    assert unseal(Keyring([OLD]).seal(b"data", "session"), "session") == b"data"
    assert RING.unseal(seal(b"data", "session"), "session") == b"data"
    assert token_matches(JOB, token_for(JOB))


def test_a_cookie_is_kept_as_a_hash_that_survives_a_change_of_secret() -> None:
    assert hash_cookie("value") == hash_cookie("value") != hash_cookie("other")
    assert len(bytes.fromhex(hash_cookie("value"))) == 32
