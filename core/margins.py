"""What each generation type earns: credits times what a credit sells for, against what fal.ai bills, for admins.

fal.ai bills USD and credits sell in EUR; the rate between them is a setting and is shown. A margin is the share of
the price that stays: 1 − cost ÷ price. It is reckoned at the lowest price that a credit sells for, the pack that is
cheapest per credit, so that no real margin is worse than the one shown.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core import packs
from core.catalog import Offer, quote
from core.database import get_database, money
from core.models import Person
from core.offers import offers


@dataclass(frozen=True, slots=True)
class Earned:
    """Credits that jobs brought, and what they cost."""

    credits: int
    usd: Decimal

    def margin(self, eur_per_credit: Decimal, usd_per_eur: Decimal) -> Decimal | None:
        """Share of the price that stays, negative for a loss; None without credits to compare with."""
        price = self.credits * eur_per_credit * usd_per_eur
        return 1 - self.usd / price if price else None


@dataclass(frozen=True, slots=True)
class TypeMargin:
    """One generation type. Margins are shares, 0.42 is 42%; None where there is nothing to reckon with."""

    generation_type: str
    label: str
    enabled: bool
    credits_per_unit: int
    credit_unit: str
    jobs: int  # ended in the period, paid with credits; failed ones that fal.ai bills cost and bring nothing
    quoted: Earned | None  # one run as the form offers it, at today's prices
    estimated: Earned  # of the jobs, as estimated before each
    actual: Earned  # of the jobs, as best known
    confirmed: Earned  # of those whose cost fal.ai has confirmed
    confirmed_jobs: int
    quoted_margin: Decimal | None
    estimated_margin: Decimal | None
    actual_margin: Decimal | None
    confirmed_margin: Decimal | None
    is_low: bool  # below the chosen margin, for a run at today's prices or for the jobs that were made

    @property
    def margin(self) -> Decimal | None:
        """The best known: of the jobs when there are any, else of the quote."""
        return self.actual_margin if self.actual_margin is not None else self.quoted_margin


@dataclass(frozen=True, slots=True)
class MarginReport:
    """Margins of all types over the last `days` days."""

    days: int
    usd_per_eur: Decimal
    warning: Decimal  # the margin below which a type is marked, 0 to 1
    eur_per_credit: Decimal  # the lowest that a credit sells for, used here
    eur_per_credit_sold: Decimal | None  # what credits really sold for, after refunds
    types: tuple[TypeMargin, ...]

    def sale(self, earned: Earned) -> Decimal:
        """What these credits sell for, EUR."""
        return earned.credits * self.eur_per_credit

    @property
    def low(self) -> tuple[TypeMargin, ...]:
        return tuple(known for known in self.types if known.is_low and known.enabled)


@dataclass(frozen=True, slots=True)
class PaymentSettings:
    """What admins choose about credits."""

    low_balance_credits: int
    usd_per_eur: Decimal
    margin_warning: Decimal


def margins(person: Person, *, days: int = 90) -> MarginReport:
    """The margin of every generation type. Raises NotAllowed for anybody but an admin."""
    state = get_database().call("margin_figures", p_actor=person.user_id, p_days=days)
    sold = state["sold"]
    rate, warning = money(state["usd_per_eur"]), money(state["margin_warning"])
    eur_per_credit = money(state["lowest_cents_per_credit"] or 0) / 100
    on_offer = offers()
    return MarginReport(
        days=state["days"],
        usd_per_eur=rate,
        warning=warning,
        eur_per_credit=eur_per_credit,
        eur_per_credit_sold=Decimal(sold["cents"]) / 100 / sold["credits"] if sold["credits"] else None,
        types=tuple(
            _type_margin(row, on_offer.get(row["generation_type"]), eur_per_credit, rate, warning)
            for row in state["types"]
        ),
    )


def save_settings(
    person: Person,
    *,
    low_balance_credits: int | None = None,
    usd_per_eur: Decimal | None = None,
    margin_warning: Decimal | None = None,
) -> PaymentSettings:
    """Change some of the settings (USD for one EUR; the margin as a share from 0 to 1); None leaves one as it is.

    Raises NotAllowed, InvalidInput.
    """
    state = get_database().call(
        "set_payment_settings",
        p_actor=person.user_id,
        p_low_balance_credits=low_balance_credits,
        p_usd_per_eur=usd_per_eur,
        p_margin_warning=margin_warning,
    )
    packs.forget()
    return PaymentSettings(state["low_balance_credits"], money(state["usd_per_eur"]), money(state["margin_warning"]))


def _type_margin(
    row: dict[str, Any], offer: Offer | None, eur_per_credit: Decimal, rate: Decimal, warning: Decimal
) -> TypeMargin:
    quoted = None
    if offer is not None:
        usual = quote(offer, offer.defaults())
        quoted = Earned(usual.credits, usual.estimated_usd)
    estimated = Earned(row["credits"], money(row["estimated_usd"]))
    actual = Earned(row["credits"], money(row["actual_usd"]))
    confirmed = Earned(row["confirmed_credits"], money(row["confirmed_usd"]))
    quoted_margin = quoted.margin(eur_per_credit, rate) if quoted else None
    actual_margin = actual.margin(eur_per_credit, rate)
    return TypeMargin(
        generation_type=row["generation_type"],
        label=row["label"],
        enabled=row["enabled"],
        credits_per_unit=row["credits_per_unit"],
        credit_unit=row["credit_unit"],
        jobs=row["jobs"],
        quoted=quoted,
        estimated=estimated,
        actual=actual,
        confirmed=confirmed,
        confirmed_jobs=row["confirmed_jobs"],
        quoted_margin=quoted_margin,
        estimated_margin=estimated.margin(eur_per_credit, rate),
        actual_margin=actual_margin,
        confirmed_margin=confirmed.margin(eur_per_credit, rate),
        is_low=any(known is not None and known < warning for known in (quoted_margin, actual_margin)),
    )
