"""Supabase from two sides: as the service, which calls functions, and as a signed-in person, whose rows RLS decides.

Writes are calls of SQL functions that only the service role may execute; a person's token can read its owner's rows and
nothing else. Both sides share one pool of connections; a client that holds somebody's token is made for one call.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
from postgrest import APIError, SyncPostgrestClient

from core import errors
from core.answers import answer_to, is_listening
from core.log import get_logger, redact_text
from core.once import Once
from core.settings import Settings, get_settings
from supabase import Client, ClientOptions, create_client

log = get_logger(__name__)

REFUSALS: dict[str, type[errors.Refused]] = {
    "INSUFFICIENT_CREDITS": errors.InsufficientCredits,
    "MONTHLY_CAP": errors.LimitReached,
    "TEAM_BUDGET": errors.LimitReached,
    "TOO_MANY_OPEN_JOBS": errors.LimitReached,
    "RUN_AMOUNT": errors.LimitReached,
    "NOT_APPROVED": errors.NotAllowed,
    "NOT_ACTIVE": errors.NotAllowed,
    "NOT_ALLOWED": errors.NotAllowed,
    "NOT_FOUND": errors.NotFound,
    "TYPE_DISABLED": errors.TypeDisabled,
    "PRICE_CHANGED": errors.PriceChanged,
    "ACCOUNT_LOCKED": errors.AccountLocked,
}
TELLING = "note_database_trouble"
UNREACHABLE = "Atelier cannot reach its database at the moment. Nothing was lost. Try again in a minute."


def connection_pool() -> httpx.Client:
    """The pool that every call to Supabase goes through: seconds, not PostgREST's default of two minutes."""
    return httpx.Client(
        timeout=httpx.Timeout(15.0, connect=3.0),
        limits=httpx.Limits(max_connections=64, max_keepalive_connections=32, keepalive_expiry=30),
        follow_redirects=False,
    )


class Database:
    """The way into Supabase. Safe to share between threads; holds no person's token."""

    def __init__(self, settings: Settings, http: httpx.Client | None = None) -> None:
        self._settings = settings
        self.http = http or connection_pool()
        self._service: Client = create_client(settings.supabase_url, settings.supabase_secret_key, self._options())
        # Made here, because the client makes it lazily and two threads may come at once.
        self._rows = self._service.postgrest
        self._trouble: tuple[datetime, str] | None = None  # what went wrong last and was not told yet

    def _options(self) -> ClientOptions:
        return ClientOptions(auto_refresh_token=False, persist_session=False, httpx_client=self.http)

    def call(self, function: str, **parameters: Any) -> Any:
        """Call a SQL function as the service and return what it returns, parsed from JSON.

        Raises a subclass of Refused when a rule says no, DatabaseUnavailable when Supabase cannot be reached,
        DatabaseError otherwise. Never repeated here: the functions are idempotent, so the caller may. Whoever is
        refused as not being an admin leaves a trace, through whichever door they came. What the page has read together
        with other things (`core.together`) is not asked for again.
        """
        if is_listening() and (known := answer_to(function, _plain(parameters))) is not None:
            return known.value
        try:
            return self._called(function, parameters)
        except errors.NotAllowed as refusal:
            if refusal.code == "NOT_ALLOWED" and "action" in refusal.detail:
                self.note_refusal(parameters.get("p_actor"), refusal.detail["action"])
            raise

    def _called(self, function: str, parameters: dict[str, Any]) -> Any:
        try:
            with translated(function):
                answer = self._rows.rpc(function, _plain(parameters)).execute().data
        except errors.DatabaseError as error:
            if function != TELLING:
                problem = str(error.detail.get("error", error.sentence))
                self._trouble = datetime.now(UTC), redact_text(f"{function}: {problem}")
            raise
        if self._trouble is not None:
            self._tell_trouble()
        return answer

    def _tell_trouble(self) -> None:
        """Keep for the admin page what went wrong, now that the database is reached again."""
        trouble, self._trouble = self._trouble, None
        if trouble is not None:  # no other thread has told it
            try:
                self._called(TELLING, {"p_error": trouble[1], "p_at": trouble[0].isoformat()})
            except errors.DatabaseError as error:
                log.warning("trouble_not_told", trouble=trouble[1], error=error.sentence, detail=error.detail)

    def note_refusal(self, user_id: UUID | None, action: str) -> None:
        """Keep in the trail that somebody tried what only admins may: once in ten minutes for each person and action.

        A refusal ends its own transaction and any row in it, hence a call of its own afterwards. Raises nothing: the
        refusal itself stands, and is in the log in any case.
        """
        log.warning("admin_refused", user_id=user_id, action=action)
        try:
            self._called("note_refusal", {"p_person": user_id, "p_action": action})
        except errors.DatabaseError as error:
            log.error("refusal_not_noted", user_id=user_id, action=action, error=error.sentence, detail=error.detail)

    def service_rows(self) -> SyncPostgrestClient:
        """The tables as the service sees them, for workers; only what is granted to the service role."""
        return self._rows

    def rows_of(self, access_token: str) -> SyncPostgrestClient:
        """The tables as the person with this token sees them: row level security decides."""
        return SyncPostgrestClient(
            f"{self._settings.supabase_url.rstrip('/')}/rest/v1",
            headers={"apikey": self._settings.supabase_publishable_key, "Authorization": f"Bearer {access_token}"},
            http_client=self.http,
        )

    def auth(self) -> Client:
        """A fresh client for one sign-in, sign-up or refresh: these change the client that makes them."""
        return create_client(self._settings.supabase_url, self._settings.supabase_publishable_key, self._options())

    def storage(self, bucket: str = "media") -> Any:
        """Storage as the service."""
        return self._service.storage.from_(bucket)


def fetch(query: Any, what: str) -> list[dict[str, Any]]:
    """Run a query on a table and return its rows; `what` names it for the log. Raises what Database.call does."""
    with translated(what):
        return list(query.execute().data)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn what Supabase says into our errors; `what` names the call for the log."""
    try:
        yield
    except APIError as error:
        raise _as_ours(error, what) from error
    except httpx.HTTPError as error:
        raise errors.DatabaseUnavailable(UNREACHABLE, detail={"call": what, "error": repr(error)}) from error


def _as_ours(error: APIError, what: str) -> errors.AtelierError:
    code = str(error.code or "")
    if code.startswith("PT") and error.hint:
        sentence, detail = str(error.message), _facts(error.details)
        if error.hint == "INVALID_INPUT":
            return errors.InvalidInput(sentence, field=str(detail.get("field", "")), detail=detail)
        return REFUSALS.get(error.hint, errors.Refused)(sentence, code=error.hint, detail=detail)
    if code in {"PGRST301", "PGRST302", "PGRST303"}:
        return errors.NotSignedIn("Your session has ended. Sign in again.")
    if code in {"PGRST000", "PGRST001", "PGRST002", "PGRST003", "57P01", "57P03", "53300"} or code.startswith("08"):
        return errors.DatabaseUnavailable(UNREACHABLE, detail={"call": what, "error": str(error.message)})
    return errors.DatabaseError(
        "Something went wrong in the database. Nothing was charged. Try again, and tell an admin if it stays.",
        detail={"call": what, "code": code, "error": str(error.message)},
    )


def _facts(details: Any) -> dict[str, Any]:
    try:
        facts = json.loads(details) if isinstance(details, str) else details
    except ValueError:
        facts = None
    return facts if isinstance(facts, dict) else {}


def _plain(value: Any) -> Any:
    """What JSON can carry: Decimal and UUID as text, so that no amount passes through a float."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def money(value: Any) -> Decimal:
    """A USD amount as the API gave it. Text is exact; a JSON number of numeric(12,6) survives repr unchanged."""
    return Decimal(str(value))


@Once
def get_database() -> Database:
    """The process's own Database, from its settings."""
    return Database(get_settings())
