"""The packs of credits that are on sale, what they buy, and when to remind a person of them."""

import threading
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from core.database import get_database
from core.errors import PaymentsRefused
from core.models import Person
from core.offers import offers
from core.settings import Settings

FRESH_SECONDS: Final = 30.0
BATCH_TYPE: Final = "image_flux_schnell"
VIDEO_TYPE: Final = "video_veo31_fast"
VIDEO_SECONDS: Final = 8


@dataclass(frozen=True, slots=True)
class Pack:
    """One pack. Its price is in cents of EUR, taxes included."""

    key: str  # credits_100
    credits: int
    amount_cents: int
    currency: str
    is_best_value: bool

    @property
    def euros(self) -> Decimal:
        return Decimal(self.amount_cents) / 100

    @property
    def euros_per_credit(self) -> Decimal:
        """Exact: €0.19, €0.158, €0.139."""
        return self.euros / self.credits


@dataclass(frozen=True, slots=True)
class Terms:
    """The packs on sale, smallest first, and the balance under which a person is reminded; 0 reminds nobody."""

    packs: tuple[Pack, ...]
    low_balance_credits: int


@dataclass(frozen=True, slots=True)
class Worth:
    """What a pack buys: batches of quick images, or videos of eight seconds. None when that is switched off."""

    batches: int | None
    videos: int | None


_lock = threading.Lock()
_cache: tuple[float, Terms] | None = None


def terms() -> Terms:
    """What is on sale now, at most 30 s old; the order function checks the price again in any case."""
    global _cache
    with _lock:
        if _cache is not None and time.monotonic() - _cache[0] < FRESH_SECONDS:
            return _cache[1]
        found = _read(get_database().call("credit_terms"))
        _cache = (time.monotonic(), found)
        return found


def is_ageing() -> bool:
    """Whether whoever asks the database anyhow should bring the terms along, so that no page waits for them."""
    with _lock:
        return _cache is None or time.monotonic() - _cache[0] > FRESH_SECONDS / 2


def keep(state: dict[str, Any]) -> None:
    """What `credit_terms` says now, brought by somebody."""
    global _cache
    found = _read(state)
    with _lock:
        _cache = (time.monotonic(), found)


def _read(state: dict[str, Any]) -> Terms:
    return Terms(
        packs=tuple(
            Pack(row["pack"], row["credits"], row["amount_cents"], row["currency"], row["is_best_value"])
            for row in state["packs"]
        ),
        low_balance_credits=state["low_balance_credits"],
    )


def forget() -> None:
    """Read the terms anew at the next question: an admin has changed them."""
    global _cache
    with _lock:
        _cache = None


def packs() -> tuple[Pack, ...]:
    """The packs on sale, smallest first."""
    return terms().packs


def smallest_for(missing: int) -> Pack | None:
    """The smallest pack that covers so many missing credits; the largest when none does, None when none is on sale."""
    on_sale = sorted(packs(), key=lambda pack: pack.credits)
    return next((pack for pack in on_sale if pack.credits >= missing), on_sale[-1] if on_sale else None)


def is_low(person: Person) -> bool:
    """Whether to remind this person to buy credits; unmetered people need none."""
    return person.may_generate and not person.is_unmetered and person.available < terms().low_balance_credits


def worth(pack: Pack) -> Worth:
    """What a pack buys at today's credit prices."""
    on_offer = offers()
    batch, video = on_offer.get(BATCH_TYPE), on_offer.get(VIDEO_TYPE)
    return Worth(
        batches=pack.credits // batch.credits if batch and batch.enabled else None,
        videos=pack.credits // (video.credits * VIDEO_SECONDS) if video and video.enabled else None,
    )


def note_seen(person: Person, visit: str) -> None:
    """Count that a person saw the packs; once a visit, which `visit` names."""
    get_database().call("note_product_event", p_user=person.user_id, p_event="packs_seen", p_key=visit[:100])


def price_id(settings: Settings, pack: str) -> str:
    """The id of the Stripe Price of a pack. Raises PaymentsRefused when the settings have none."""
    found: str = getattr(settings, f"stripe_price_{pack}", "")
    if not found:
        raise PaymentsRefused(
            "This pack cannot be bought at the moment: it has no price at Stripe. Nothing was charged. Tell an admin.",
            detail={"setting": f"STRIPE_PRICE_{pack.upper()}"},
        )
    return found
