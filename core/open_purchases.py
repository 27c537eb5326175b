"""Orders that nobody told us about: the worker asks Stripe, so that a lost webhook costs nobody their credits."""

from typing import Any, Final

from core.database import get_database
from core.errors import DatabaseError, DatabaseUnavailable, PaymentsRefused, PaymentsUnavailable, Refused
from core.log import get_logger
from core.payments import look_up

log = get_logger(__name__)

LEASE_SECONDS: Final = 120  # when Stripe does not answer, the next look
UNKNOWN: Final = "Stripe does not know a checkout session that we made. Is STRIPE_SECRET_KEY of another account?"


def reconcile_open_purchases(limit: int = 10) -> int:
    """Look up the unfinished orders that are due, `limit` at most; returns how many. Any number of workers may do it.

    An order is due 15 minutes after it was made, and again until it is paid, expired or failed. How Stripe answered is
    kept as the state of the provider. One order that cannot be brought into the books keeps no other waiting: the first
    such error is raised at the end. Raises DatabaseError, Refused.
    """
    due = get_database().call("claim_purchases", p_limit=limit, p_lease_seconds=LEASE_SECONDS)
    problem: DatabaseError | Refused | None = None
    for row in due:
        try:
            _look_at(row)
        except PaymentsUnavailable as error:
            log.warning("stripe_away", order=row["id"], detail=error.detail)
            _report(str(error.detail))
            break  # the others would wait for the same; their lease brings them back
        except PaymentsRefused as error:
            log.error("purchase_not_looked_up", order=row["id"], error=error.sentence, detail=error.detail)
            _report(UNKNOWN if error.code == "PAYMENT_NOT_FOUND" else error.sentence)
        except DatabaseUnavailable:
            raise
        except (DatabaseError, Refused) as error:
            log.error("purchase_not_applied", order=row["id"], error=error.sentence, detail=error.detail)
            problem = problem or error
        else:
            _report(None)
    if problem is not None:
        raise problem
    return len(due)


def _look_at(row: dict[str, Any]) -> None:
    session_id = row["stripe_session_id"]
    try:
        look_up(session_id, source="worker")
    except PaymentsRefused as error:
        if error.code == "PAYMENT_NOT_FOUND":
            # A key of another account, or a reset one. Somebody may have paid all the same: it is closed only when
            # Stripe would not tell us about it any more.
            get_database().call("fulfil_checkout", p_session={"id": session_id, "status": "unknown"}, p_source="worker")
        raise


def _report(problem: str | None) -> None:
    get_database().call("report_provider", p_provider="stripe", p_ok=problem is None, p_error=problem)
