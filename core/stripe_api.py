"""The one way to Stripe's API, and what its errors mean for a person."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import httpx
import stripe

from core.errors import AtelierError, PaymentsRefused, PaymentsUnavailable
from core.settings import Settings, get_settings

RETRIES: Final = 2  # of the package itself, with the same idempotency key
TIMEOUT: Final = httpx.Timeout(8.0, connect=3.0)


class PooledHttp(stripe.HTTPClient):
    """The package's transport on a pool that all threads share; the package does the retrying."""

    name = "httpx"

    def __init__(self, pool: httpx.Client) -> None:
        super().__init__()
        self._pool = pool

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """One try. Raises stripe.APIConnectionError."""
        try:
            answer = self._pool.request(method, url, headers=headers, content=post_data)
        except httpx.TransportError as error:
            # A POST carries an idempotency key, so sending it again is safe whatever became of the first.
            said = f"Stripe cannot be reached: {error!r}"
            raise stripe.APIConnectionError(said, should_retry=True) from error  # type: ignore[no-untyped-call]
        return answer.text, answer.status_code, answer.headers

    def close(self) -> None:
        self._pool.close()


@lru_cache(maxsize=1)
def connection_pool() -> httpx.Client:
    """The connections of this process to Stripe."""
    return httpx.Client(timeout=TIMEOUT, follow_redirects=False)


def new_client(settings: Settings) -> stripe.StripeClient:
    """A client for the account of these settings, for any number of threads. Raises PaymentsRefused without a key."""
    if not settings.stripe_secret_key:
        raise PaymentsRefused("Credits cannot be bought here: STRIPE_SECRET_KEY is not set. Nothing was charged.")
    return stripe.StripeClient(
        settings.stripe_secret_key,
        base_addresses={"api": settings.stripe_api_url},
        max_network_retries=RETRIES,
        http_client=PooledHttp(connection_pool()),
    )


@lru_cache(maxsize=1)
def get_client() -> stripe.StripeClient:
    """The client of this process's settings."""
    return new_client(get_settings())


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn what Stripe says into our errors; `what` names the call for the log."""
    try:
        yield
    except stripe.StripeError as error:
        raise _as_ours(error, what) from error


def _as_ours(error: stripe.StripeError, what: str) -> AtelierError:
    detail = {"call": what, "status": error.http_status, "stripe_code": error.code, "request": error.request_id}
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return PaymentsRefused(
            "Stripe refuses our key, so credits cannot be bought at the moment. Nothing was charged. Tell an admin.",
            detail=detail,
        )
    if isinstance(error, stripe.IdempotencyError):
        return PaymentsRefused(
            "This order was begun with other details. Nothing was charged. Start again from the credits page.",
            detail=detail,
        )
    if isinstance(error, stripe.InvalidRequestError | stripe.CardError) and (error.http_status or 500) < 500:
        # Stripe's own sentence is for the log: it may name settings of the account.
        return PaymentsRefused(
            "Stripe did not accept this order. Nothing was charged. Tell an admin.",
            code="PAYMENT_NOT_FOUND" if error.http_status == 404 else None,
            detail={**detail, "said": error.user_message},
        )
    return PaymentsUnavailable(
        "Stripe does not answer at the moment. If you have paid, your credits arrive by themselves.", detail=detail
    )
