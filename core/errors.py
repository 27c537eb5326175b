"""Everything that can go wrong, and what a person is told about it.

AtelierError                    code, sentence for the person, detail
├── SettingsError               the configuration is missing, weak or contradictory
├── DatabaseError               Supabase or PostgreSQL did not do what was asked
│   └── DatabaseUnavailable     ... because it could not be reached
├── NotSignedIn                 no session, or one that has ended
├── SignInRefused               wrong email or password, too many tries, weak password
├── WebhookRefused              a call that does not prove who sent it, or is not what it should be
├── Refused                     a rule of ours said no; nothing was held, nothing was sent
│   ├── NotAllowed              the person may not do this (not approved, not an admin, not the owner)
│   ├── NotFound                there is no such thing, or it is not theirs
│   ├── InsufficientCredits     too few credits
│   ├── LimitReached            the team's budget, a monthly cap, too many jobs at once
│   ├── TypeDisabled            this generation type is switched off
│   ├── PriceChanged            the price shown is no longer the price
│   ├── AccountLocked           fal.ai has locked the account: new work is refused up front
│   └── InvalidInput            a field is missing or out of range
├── FalError                    fal.ai
│   ├── FalRefused              a clear no: nothing was queued
│   │   ├── FalUnauthorized     401: the key is wrong
│   │   ├── FalLocked           403: the account is locked, with fal's reason
│   │   ├── FalNotFound         404: no such endpoint or request
│   │   └── FalInvalidInput     422 and other 4xx: the inputs were refused
│   ├── FalBusy                 429: later, please; nothing was queued
│   ├── FalUnsent               the connection was never made, so nothing was sent
│   ├── FalUnclear              it may or may not have been accepted: never send again by yourself
│   └── FalUnavailable          a question (status, result, price) got no usable answer
└── PaymentsError               Stripe
    ├── PaymentsRefused         Stripe, or the configuration, says no: nothing was charged
    └── PaymentsUnavailable     Stripe gave no usable answer: what was asked may or may not have happened
"""

from typing import Any


class AtelierError(Exception):
    """Base of all our errors.

    `sentence` is for the person: what happened, what it cost, what to do. `code` is for machines and logs.
    `detail` holds facts (amounts, field names); it never holds a secret.
    """

    code = "ERROR"

    def __init__(self, sentence: str, *, code: str | None = None, detail: dict[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code or type(self).code
        self.detail = detail or {}


class SettingsError(AtelierError):
    code = "SETTINGS"


class DatabaseError(AtelierError):
    code = "DATABASE"


class DatabaseUnavailable(DatabaseError):
    code = "DATABASE_UNAVAILABLE"


class NotSignedIn(AtelierError):
    code = "NOT_SIGNED_IN"


class SignInRefused(AtelierError):
    code = "SIGN_IN_REFUSED"


class WebhookRefused(AtelierError):
    """`reason` is one of a few fixed words, for logs and tests; it never repeats what was sent."""

    code = "WEBHOOK_REFUSED"

    def __init__(self, reason: str) -> None:
        super().__init__(f"This call was refused: {reason.replace('_', ' ')}.", detail={"reason": reason})
        self.reason = reason


class Refused(AtelierError):
    code = "REFUSED"


class NotAllowed(Refused):
    code = "NOT_ALLOWED"


class NotFound(Refused):
    code = "NOT_FOUND"


class InsufficientCredits(Refused):
    code = "INSUFFICIENT_CREDITS"


class LimitReached(Refused):
    code = "LIMIT_REACHED"


class TypeDisabled(Refused):
    code = "TYPE_DISABLED"


class PriceChanged(Refused):
    code = "PRICE_CHANGED"


class AccountLocked(Refused):
    code = "ACCOUNT_LOCKED"


class InvalidInput(Refused):
    """`field` is the name of the input that was refused."""

    code = "INVALID_INPUT"

    def __init__(self, sentence: str, *, field: str, detail: dict[str, Any] | None = None) -> None:
        super().__init__(sentence, detail={"field": field, **(detail or {})})
        self.field = field


class FalError(AtelierError):
    """`status` is the HTTP status, when there was one; `error_type` is fal's own word for it."""

    code = "FAL"

    def __init__(
        self, sentence: str, *, status: int | None = None, error_type: str = "", detail: dict[str, Any] | None = None
    ) -> None:
        super().__init__(sentence, detail=detail)
        self.status = status
        self.error_type = error_type


class FalRefused(FalError):
    code = "FAL_REFUSED"


class FalUnauthorized(FalRefused):
    code = "FAL_UNAUTHORIZED"


class FalLocked(FalRefused):
    code = "FAL_LOCKED"


class FalNotFound(FalRefused):
    code = "FAL_NOT_FOUND"


class FalInvalidInput(FalRefused):
    code = "FAL_INVALID_INPUT"


class FalBusy(FalError):
    code = "FAL_BUSY"


class FalUnsent(FalError):
    code = "FAL_UNSENT"


class FalUnclear(FalError):
    code = "FAL_UNCLEAR"


class FalUnavailable(FalError):
    code = "FAL_UNAVAILABLE"


class PaymentsError(AtelierError):
    code = "PAYMENTS"


class PaymentsRefused(PaymentsError):
    code = "PAYMENTS_REFUSED"


class PaymentsUnavailable(PaymentsError):
    code = "PAYMENTS_UNAVAILABLE"
