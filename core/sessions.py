"""Sign-up, sign-in, and who is looking: an opaque cookie in the browser, the tokens of Supabase sealed in the database.

The cookie is 256 random bits; the database holds its SHA-256 and the tokens sealed with APP_SECRET, so neither a stolen
database nor a stolen log opens a session. Refresh tokens rotate: a lease in the database lets one process refresh at
a time.
"""

import contextlib
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from supabase_auth.errors import AuthApiError, AuthError, AuthRetryableError, AuthWeakPasswordError
from supabase_auth.types import AuthResponse, Session, User

from core import attempts, offers, packs, passwords
from core.alerts import alert_of
from core.budget import budget_of
from core.database import UNREACHABLE, get_database
from core.errors import DatabaseUnavailable, NotSignedIn, SignInRefused
from core.log import get_logger
from core.models import LastSettings, Person
from core.rows import job_of
from core.sealing import hash_cookie, seal, unseal
from core.settings import get_settings

log = get_logger(__name__)
COOKIE_NAME = "atelier_session"
IDLE_SECONDS = 7 * 24 * 3600
ABSOLUTE_SECONDS = 30 * 24 * 3600
REFRESH_BEFORE_SECONDS = 90
WRONG = "Email or password is not right."
PURPOSE = "session-tokens"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What the browser is given: the cookie's value and how long it may keep it, in seconds."""

    cookie_value: str
    max_age: int


def sign_up(email: str, password: str, full_name: str, *, address: str = "") -> None:
    """Create an account that waits for approval. Says the same whether or not the address has one already.

    `address` is where the request comes from, empty when that is unknown. Raises SignInRefused for a weak password, an
    impossible email or too many tries, DatabaseUnavailable when Supabase is away.
    """
    email, full_name = email.strip().lower(), " ".join(full_name.split())
    if not attempts.is_email(email):
        raise SignInRefused("Enter a full email address, such as you@company.com.", code="BAD_EMAIL")
    passwords.check(password)
    if not 1 <= len(full_name) <= 120:
        raise SignInRefused("Enter your name, 120 characters at most.", code="BAD_NAME")
    attempts.begin("sign_up", email, address)
    try:
        get_database().auth().auth.sign_up(
            {"email": email, "password": password, "options": {"data": {"full_name": full_name}}}
        )
    except AuthWeakPasswordError as error:
        raise SignInRefused("This password is too weak. Choose a longer one.", code="WEAK_PASSWORD") from error
    except AuthApiError as error:
        if error.code in {"user_already_exists", "email_exists"}:
            log.info("sign_up_repeated")
            return
        if error.status == 429:
            raise SignInRefused(attempts.TOO_MANY, code="TOO_MANY") from error
        raise SignInRefused("This account could not be created. Check the address.", code="BAD_EMAIL") from error
    except (AuthError, httpx.HTTPError) as error:
        raise DatabaseUnavailable(UNREACHABLE) from error


def sign_in(email: str, password: str, *, address: str, user_agent: str) -> SignedIn:
    """Check a password with Supabase and open a session for this browser.

    Raises SignInRefused (wrong, or too many tries: see `core.attempts`), DatabaseUnavailable.
    """
    email = email.strip().lower()
    attempt = attempts.begin("sign_in", email, address)
    if not attempts.is_email(email) or not password:
        raise SignInRefused(WRONG, code="WRONG")  # and counted: Supabase could not even decide about these
    try:
        answer = _ask(email, password)
    except DatabaseUnavailable:
        attempts.withdraw(attempt)
        raise
    if answer.session is None or answer.user is None:
        raise SignInRefused(WRONG, code="WRONG")
    attempts.succeed(attempt)
    return open_session(answer.user, answer.session, address=address, user_agent=user_agent)


def open_session(user: User, session: Session, *, address: str, user_agent: str) -> SignedIn:
    """A session of this browser for whom Supabase has let in, whatever the proof was. Raises DatabaseUnavailable."""
    cookie_value = secrets.token_urlsafe(32)
    get_database().call(
        "open_session",
        p_cookie_hash=hash_cookie(cookie_value),
        p_user=str(user.id),
        p_sealed_tokens=_sealed(session.access_token, session.refresh_token),
        p_token_seconds=session.expires_in,
        p_idle_seconds=IDLE_SECONDS,
        p_absolute_seconds=ABSOLUTE_SECONDS,
        p_user_agent=user_agent,
        p_address=address,
        p_is_admin_email=_is_admin_address(user.email or ""),
        p_welcome_credits=get_settings().welcome_credits,
    )
    log.info("signed_in", user_id=str(user.id))
    return SignedIn(cookie_value, ABSOLUTE_SECONDS)


def current(cookie_value: str | None, *, watching: bool = False, settings: bool = False) -> Person | None:
    """Who is looking, or None when nobody is signed in. One database round trip, two more when the token is refreshed.

    `watching` says that the person's running jobs are on screen: they are then looked at sooner. `settings` brings how
    they set each generation type last. What is on offer comes along when this process has to read it anew.
    """
    if not cookie_value or len(cookie_value) > 128:
        return None
    cookie_hash = hash_cookie(cookie_value)
    asks_for_offers = offers.is_ageing() or packs.is_ageing()
    context = get_database().call(
        "session_context",
        p_cookie_hash=cookie_hash,
        p_idle_seconds=IDLE_SECONDS,
        p_watching=watching,
        p_settings=settings,
        p_on_offer=asks_for_offers,
    )
    if context is None:
        return None
    if asks_for_offers:
        offers.keep(context["on_offer"]["types"])
        packs.keep(context["on_offer"]["terms"])
    try:
        token = _usable_token(cookie_hash, context)
    except NotSignedIn:
        return None
    return _person(context, token)


def sign_out(cookie_value: str | None) -> None:
    """End the session of this browser, here and at Supabase. Ending it again is harmless."""
    if not cookie_value or len(cookie_value) > 128:
        return
    sealed = get_database().call("close_session", p_cookie_hash=hash_cookie(cookie_value))
    if sealed:
        # Ours is closed already; Supabase's own session then only lives until its token runs out.
        with contextlib.suppress(AuthError, httpx.HTTPError, NotSignedIn):
            client = get_database().auth()
            access_token, refresh_token = _opened(sealed)
            client.auth.set_session(access_token, refresh_token)
            client.auth.sign_out({"scope": "local"})


def request_password_reset(email: str, *, address: str = "") -> None:
    """Ask Supabase to mail a reset link. Never tells whether the email has an account. Raises SignInRefused after too
    many tries, DatabaseUnavailable."""
    email = email.strip().lower()
    attempts.begin("reset", email, address)
    if not attempts.is_email(email):
        return
    try:
        get_database().auth().auth.reset_password_for_email(email)
    except AuthApiError as error:
        log.info("password_reset_refused", status=error.status)
    except (AuthError, httpx.HTTPError) as error:
        raise DatabaseUnavailable(UNREACHABLE) from error


def _ask(email: str, password: str) -> AuthResponse:
    """What Supabase says to this password. Raises SignInRefused, DatabaseUnavailable."""
    try:
        return get_database().auth().auth.sign_in_with_password({"email": email, "password": password})
    except AuthRetryableError as error:
        raise DatabaseUnavailable(UNREACHABLE) from error
    except AuthApiError as error:
        if error.status >= 500:
            raise DatabaseUnavailable(UNREACHABLE) from error
        if error.status == 429:
            raise SignInRefused(attempts.TOO_MANY, code="TOO_MANY") from error
        if error.code == "email_not_confirmed":
            raise SignInRefused("Confirm your address first: we sent you a link.", code="NOT_CONFIRMED") from error
        raise SignInRefused(WRONG, code="WRONG") from error
    except (AuthError, httpx.HTTPError) as error:
        raise DatabaseUnavailable(UNREACHABLE) from error


def _is_admin_address(email: str) -> bool:
    """Whether ADMIN_EMAILS names this address and nobody can have claimed it: a Supabase that lets people in without
    opening a mail takes anybody's word for theirs. On one machine, where no mail is sent, the word is enough.
    """
    settings = get_settings()
    if email.lower() not in settings.admin_emails:
        return False
    if not settings.is_production:
        return True
    try:
        answer = get_database().http.get(
            f"{settings.supabase_url}/auth/v1/settings", headers={"apikey": settings.supabase_publishable_key}
        )
        confirms = answer.raise_for_status().json()["mailer_autoconfirm"] is False
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        log.error("admin_address_not_checked", error=repr(error))
        return False
    if not confirms:
        log.error("admin_address_ignored", reason='"Confirm email" is off in Supabase, so anybody can claim an address')
    return confirms


def _usable_token(cookie_hash: str, context: dict[str, Any]) -> str:
    """The access token of a session, refreshed when it is about to run out."""
    if context["token_seconds_left"] > REFRESH_BEFORE_SECONDS:
        return _opened(context["sealed_tokens"])[0]
    version = context["token_version"]
    for _ in range(40):
        lease = get_database().call("lease_refresh", p_cookie_hash=cookie_hash, p_token_version=version)
        if lease is None:
            raise NotSignedIn("Your session has ended. Sign in again.")
        if lease["token_version"] != version:
            return _opened(lease["sealed_tokens"])[0]
        if lease["yours"]:
            return _refreshed(cookie_hash, lease)
        time.sleep(0.25)  # another process is refreshing; its result is ours
    return _opened(context["sealed_tokens"])[0]


def _refreshed(cookie_hash: str, lease: dict[str, Any]) -> str:
    access_token, refresh_token = _opened(lease["sealed_tokens"])
    try:
        answer = get_database().auth().auth.refresh_session(refresh_token)
    except AuthRetryableError:
        return access_token  # Supabase is busy: this token still has a moment
    except AuthApiError as error:
        if error.status >= 500:
            return access_token
        get_database().call("close_session", p_cookie_hash=cookie_hash)
        raise NotSignedIn("Your session has ended. Sign in again.") from error
    except (AuthError, httpx.HTTPError):
        return access_token
    if answer.session is None:
        raise NotSignedIn("Your session has ended. Sign in again.")
    get_database().call(
        "store_tokens",
        p_cookie_hash=cookie_hash,
        p_token_version=lease["token_version"],
        p_sealed_tokens=_sealed(answer.session.access_token, answer.session.refresh_token),
        p_token_seconds=answer.session.expires_in,
    )
    return answer.session.access_token


def _sealed(access_token: str, refresh_token: str) -> str:
    return seal(json.dumps([access_token, refresh_token]).encode(), PURPOSE)


def _opened(sealed: str) -> tuple[str, str]:
    opened = unseal(sealed, PURPOSE)
    if opened is None:
        raise NotSignedIn("Your session has ended. Sign in again.")  # sealed with a secret that is gone
    access_token, refresh_token = json.loads(opened)
    return access_token, refresh_token


def _person(context: dict[str, Any], token: str) -> Person:
    return Person(
        user_id=UUID(context["user_id"]),
        email=context["email"],
        full_name=context["full_name"],
        role=context["role"],
        is_approved=context["is_approved"],
        is_unmetered=context["is_unmetered"],
        is_active=context["is_active"],
        available=context["available"],
        held=context["held"],
        open_jobs=context["open_jobs"],
        budget=budget_of(context["budget"]),
        people_waiting=context["people_waiting"],
        fal_lock_reason=context["fal_lock_reason"],
        access_token=token,
        running=tuple(job_of(row) for row in context["running"]),
        alerts=tuple(alert_of(row) for row in context["alerts"]),
        last_settings=_last_settings(context["last_settings"] or {}),
    )


def _last_settings(by_type: dict[str, Any]) -> tuple[LastSettings, ...]:
    newest_first = sorted(by_type.items(), key=lambda item: str(item[1]["created_at"]), reverse=True)
    return tuple(LastSettings(name, last["input_params"]) for name, last in newest_first)
