"""The links in Supabase's mails: to a new password, and to a confirmed address.

A link carries the hash of a token, which is good once and for an hour. Whoever has it has the mailbox, which is the
proof. Opening it changes nothing, as scanners of mail open links, too: the token is used when a form is sent.
"""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import httpx
from supabase_auth.errors import (
    AuthApiError,
    AuthError,
    AuthRetryableError,
    AuthSessionMissingError,
    AuthWeakPasswordError,
)
from supabase_auth.types import AuthResponse, EmailOtpType

from core import attempts, passwords
from core.database import UNREACHABLE, get_database
from core.errors import DatabaseError, DatabaseUnavailable, SignInRefused
from core.log import get_logger
from core.sealing import seal, unseal

log = get_logger(__name__)
USED: Final = "This link has been used or is older than an hour. Ask for a new one."
PROOF_SECONDS: Final = 900  # to choose another password: as long as the token in the proof is good
_PURPOSE: Final = "new-password"
_TOKEN: Final = re.compile(r"[\w-]{16,200}", re.ASCII)  # SHA-224 in hex, "pkce_" before it or not


def is_token(text: str) -> bool:
    """Whether this could be the token of a link, so that Supabase is asked at all."""
    return _TOKEN.fullmatch(text) is not None


def prove(token: str, *, address: str) -> str:
    """Use up the link to a new password. What it proves, sealed and good for PROOF_SECONDS: `set_password` takes it.

    `address` is where the request comes from. Raises SignInRefused LINK_USED (or expired, or made up) or TOO_MANY,
    DatabaseUnavailable.
    """
    answer = _used(token, "recovery", address)
    if answer.session is None or answer.user is None:
        raise SignInRefused(USED, code="LINK_USED")
    session = answer.session
    facts = [answer.user.email or "", session.access_token, session.refresh_token, time.time() + PROOF_SECONDS]
    return seal(json.dumps(facts).encode(), _PURPOSE)


def set_password(proof: str, password: str, *, address: str) -> str:
    """Set the new password of whom `proof` is about; their email. Every session of theirs ends, here (by a trigger of
    the database, in the same transaction) and at Supabase.

    Raises SignInRefused: WEAK_PASSWORD, LONG_PASSWORD or SAME_PASSWORD, after which the proof is still good, or
    LINK_USED when it is not, or TOO_MANY: it would be a way of trying out what the password is. DatabaseUnavailable.
    """
    passwords.check(password)
    email, access_token, refresh_token = _opened(proof)
    auth = get_database().auth().auth
    with _counted(proof, address):
        auth.set_session(access_token, refresh_token)
        user = auth.update_user({"password": password}).user
    with suppress(AuthError, httpx.HTTPError):  # then what is left there runs out by itself
        auth.sign_out({"scope": "global"})
    log.info("password_set", user_id=str(user.id))
    return email


def confirm(token: str, *, address: str) -> str:
    """Use up the link that proves an address; the email. Nobody is signed in by it: the link may have come to somebody
    else's mailbox, and only a password says who is there.

    Raises SignInRefused LINK_USED or TOO_MANY, DatabaseUnavailable.
    """
    auth = get_database().auth().auth
    answer = _used(token, "email", address)
    if answer.session is not None:
        with suppress(AuthError, httpx.HTTPError):
            auth.set_session(answer.session.access_token, answer.session.refresh_token)
            auth.sign_out({"scope": "local"})
    log.info("address_confirmed", user_id=str(answer.user.id) if answer.user else None)
    return (answer.user.email if answer.user else None) or ""


def _used(token: str, kind: EmailOtpType, address: str) -> AuthResponse:
    """What Supabase says to the token of a link."""
    with _counted(token, address):
        if not is_token(token):
            raise SignInRefused(USED, code="LINK_USED")
        return get_database().auth().auth.verify_otp({"token_hash": token, "type": kind})


@contextmanager
def _counted(link: str, address: str) -> Iterator[None]:
    """A try, which counts for the link and for the address unless it succeeds or could not be decided."""
    attempt = attempts.begin("link", link, address)
    try:
        with _translated():
            yield
    except DatabaseUnavailable:
        attempts.withdraw(attempt)
        raise
    with suppress(DatabaseError):  # it is done, and would not succeed a second time
        attempts.succeed(attempt)


@contextmanager
def _translated() -> Iterator[None]:
    """What Supabase says to a link or a password, in our errors."""
    try:
        yield
    except AuthWeakPasswordError as error:
        raise SignInRefused("This password is too weak. Choose a longer one.", code="WEAK_PASSWORD") from error
    except AuthRetryableError as error:
        raise DatabaseUnavailable(UNREACHABLE) from error
    except AuthSessionMissingError as error:
        raise SignInRefused(USED, code="LINK_USED") from error
    except AuthApiError as error:
        raise _as_ours(error) from error
    except (AuthError, httpx.HTTPError) as error:
        raise DatabaseUnavailable(UNREACHABLE) from error


def _as_ours(error: AuthApiError) -> SignInRefused | DatabaseUnavailable:
    if error.status >= 500:
        return DatabaseUnavailable(UNREACHABLE)
    if error.status == 429:
        return SignInRefused(attempts.TOO_MANY, code="TOO_MANY")
    if error.code == "same_password":
        return SignInRefused("This was your password before. Choose another one.", code="SAME_PASSWORD")
    if error.code == "weak_password":
        return SignInRefused("This password is too weak. Choose a longer one.", code="WEAK_PASSWORD")
    log.info("link_refused", status=error.status, reason=error.code)
    return SignInRefused(USED, code="LINK_USED")


def _opened(proof: str) -> tuple[str, str, str]:
    opened = unseal(proof, _PURPOSE)
    facts: list[Any] = json.loads(opened) if opened else ["", "", "", 0.0]
    email, access_token, refresh_token, until = facts
    if until < time.time():
        raise SignInRefused(USED, code="LINK_USED")
    return email, access_token, refresh_token
