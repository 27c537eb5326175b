"""Orders that nobody told us about: the worker asks Stripe, so that a lost webhook costs nobody their credits."""

from typing import Any, Final

from core.database import get_database
from core.errors import PaymentsRefused, PaymentsUnavailable
from core.log import get_logger
from core.payments import look_up

log = get_logger(__name__)

LEASE_SECONDS: Final = 120  # when Stripe does not answer, the next look


def reconcile_open_purchases(limit: int = 10) -> int:
    """Look up the unfinished orders that are due, `limit` at most; returns how many. Any number of workers may do it.

    An order is due 15 minutes after it was made, and again until it is paid, expired or failed. Raises DatabaseError.
    """
    due = get_database().call("claim_purchases", p_limit=limit, p_lease_seconds=LEASE_SECONDS)
    for row in due:
        try:
            _look_at(row)
        except PaymentsUnavailable as error:
            log.warning("stripe_away", order=row["id"], detail=error.detail)
            get_database().call("report_provider", p_provider="stripe", p_ok=False, p_error=str(error.detail))
            break  # the others would wait for the same; their lease brings them back
        except PaymentsRefused as error:
            log.error("purchase_not_looked_up", order=row["id"], error=error.sentence, detail=error.detail)
        else:
            get_database().call("report_provider", p_provider="stripe", p_ok=True)
    return len(due)


def _look_at(row: dict[str, Any]) -> None:
    session_id = row["stripe_session_id"]
    try:
        look_up(session_id, source="worker")
    except PaymentsRefused as error:
        if error.code != "PAYMENT_NOT_FOUND":
            raise
        # Stripe's account does not know this session, so nobody can pay it: a key of another account, or a reset.
        log.warning("session_unknown_to_stripe", order=row["id"], session=session_id)
        get_database().call("fulfil_checkout", p_session={"id": session_id, "status": "expired"}, p_source="worker")
