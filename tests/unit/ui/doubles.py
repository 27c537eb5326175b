"""Records for tests of the pages, with sensible values that a test overrides where it matters."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4, uuid5

from core.alerts import Alert
from core.catalog import GENERATION_TYPES, Offer
from core.credits import CreditLine
from core.models import Budget, CreditEntry, Job, JobEvent, Output, Person, Quote
from core.packs import Pack, Terms
from core.purchases import Purchase
from core.retrying import Retry

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ME = UUID("00000000-0000-4000-8000-000000000001")
BUDGET = Budget(
    spent=Decimal("29.20"), amount=Decimal("50"), taken_at=NOON - timedelta(days=17), remaining=Decimal("20.80")
)


def person(**changes: Any) -> Person:
    return replace(
        Person(
            user_id=ME,
            email="mara@studio.example",
            full_name="Mara Costa",
            role="user",
            is_approved=True,
            is_unmetered=False,
            is_active=True,
            available=83,
            held=0,
            open_jobs=0,
            budget=BUDGET,
            people_waiting=0,
            fal_lock_reason=None,
            access_token="token",
        ),
        **changes,
    )


def output(**changes: Any) -> Output:
    return replace(
        Output(
            id=uuid4(),
            position=0,
            media_type="image/png",
            url="https://files.example/1.png",
            source_url="https://v3.fal.media/1.png",
            storage_path="1.png",
            size_bytes=1000,
            width=992,
            height=992,
            duration_seconds=None,
            mirrored_at=NOON,
        ),
        **changes,
    )


def job(**changes: Any) -> Job:
    """A completed draft of two minutes ago, unless told otherwise."""
    return replace(
        Job(
            id=uuid4(),
            user_id=ME,
            generation_type="image_flux_schnell",
            status="completed",
            input_params={"prompt": "Three glazed spheres on linen", "shape": "square"},
            quantity=1,
            credits_held=1,
            credits_charged=1,
            estimated_usd=Decimal("0.006"),
            actual_usd=Decimal("0.006"),
            cost_source="confirmed",
            progress=None,
            queue_position=None,
            progress_message=None,
            error_type=None,
            error_message=None,
            fal_request_id="7f3c0000-0000-0000-0000-00000000a91e",
            retried_from=None,
            retried_as=None,
            is_automatic_retry=False,
            campaign_id=None,
            clip_id=None,
            clip_step=None,
            is_late=False,
            cancel_requested_at=None,
            created_at=NOON - timedelta(seconds=128),
            submit_attempted_at=NOON - timedelta(seconds=127),
            submitted_at=NOON - timedelta(seconds=127),
            started_at=NOON - timedelta(seconds=125),
            completed_at=NOON - timedelta(seconds=120),
            expected_seconds=5,
            result_data=None,
            outputs=(output(),),
        ),
        **changes,
    )


def retry(failed: Job) -> Retry:
    """What trying a failed draft again would be, for one credit."""
    quote = Quote(failed.generation_type, 1, 1, Decimal(2), Decimal("0.003"), Decimal("0.006"))
    return Retry(failed, uuid5(failed.id, "retry"), failed.input_params, quote, 600)


def running(**changes: Any) -> Job:
    """A job that fal.ai is rendering."""
    going: dict[str, Any] = {
        "status": "in_progress",
        "credits_charged": 0,
        "actual_usd": None,
        "cost_source": "estimated",
        "completed_at": None,
        "outputs": (),
    }
    return job(**(going | changes))


def event(name: str, seconds: float, **changes: Any) -> JobEvent:
    """A line of a job's log, `seconds` after it was asked for."""
    at = NOON - timedelta(seconds=128) + timedelta(seconds=seconds)
    return replace(JobEvent(happened_at=at, event=name, by=None, message=None, credits=None, usd=None), **changes)


def line(**changes: Any) -> CreditLine:
    """A charged draft, set aside a moment before, unless told otherwise."""
    return replace(
        CreditLine(
            id=2,
            at=NOON,
            kind="capture",
            amount=1,
            change=-1,
            balance=83,
            available_after=83,
            held_after=0,
            frozen_after=0,
            owed_after=0,
            owed_change=0,
            reason=None,
            job_id=uuid4(),
            set_aside_at=NOON - timedelta(seconds=8),
            prompt="Three glazed spheres on linen",
            generation_type="image_flux_schnell",
            job_status="completed",
            purchase_id=None,
            has_receipt=False,
        ),
        **changes,
    )


def bought(**changes: Any) -> CreditLine:
    """The line of a pack of 500."""
    told: dict[str, Any] = {
        "id": 3,
        "kind": "purchase",
        "amount": 500,
        "change": 500,
        "balance": 583,
        "available_after": 583,
        "reason": "500 credits for €79",
        "purchase_id": uuid4(),
        "has_receipt": True,
        "job_id": None,
        **dict.fromkeys(("set_aside_at", "prompt", "generation_type", "job_status")),
    }
    return line(**(told | changes))


def entry(**changes: Any) -> CreditEntry:
    return replace(
        CreditEntry(
            id=1,
            created_at=NOON,
            kind="hold",
            amount=1,
            available_change=-1,
            available_after=83,
            held_after=1,
            job_id=uuid4(),
            purchase_id=None,
            prompt="Three glazed spheres on linen",
            reason=None,
        ),
        **changes,
    )


def terms(low: int = 5) -> Terms:
    """The three packs, and the balance below which people are reminded."""
    return Terms(
        packs=(
            Pack("credits_100", 100, 1900, "eur", False),
            Pack("credits_500", 500, 7900, "eur", True),
            Pack("credits_1000", 1000, 13900, "eur", False),
        ),
        low_balance_credits=low,
    )


def purchase(**changes: Any) -> Purchase:
    """A paid pack of 500, unless told otherwise."""
    return replace(
        Purchase(
            id=uuid4(),
            user_id=ME,
            pack="credits_500",
            credits=500,
            amount_cents=7900,
            currency="eur",
            status="paid",
            stripe_session_id="cs_test_1",
            payment_intent_id="pi_1",
            paid_at=NOON,
            paid_through="page",
            refunded_cents=0,
            lost_cents=0,
            granted_credits=500,
            taken_credits=0,
            frozen_credits=0,
            flagged_reason=None,
            created_at=NOON,
        ),
        **changes,
    )


def alert(**changes: Any) -> Alert:
    """A quarter of the team's balance is left."""
    return replace(
        Alert(
            id=1,
            kind="team_balance",
            threshold=25,
            user_id=None,
            person=None,
            limit=Decimal(50),
            value=Decimal("12.40"),
            raised_at=NOON,
            delivery="none",
            last_error=None,
        ),
        **changes,
    )


def offer(key: str, *, credits: int = 1, unit: str = "batch", price: str = "0.003", per: str = "megapixels") -> Offer:
    return Offer(
        type=GENERATION_TYPES[key],
        credits=credits,
        credit_unit=unit,
        unit_price_usd=Decimal(price),
        price_unit=per,
        estimated_seconds=5,
        enabled=True,
        default_params={},
    )


def offers() -> dict[str, Offer]:
    """The four types that the first studio sells."""
    return {
        "image_flux_schnell": offer("image_flux_schnell"),
        "image_flux_dev": offer("image_flux_dev", credits=5, unit="image", price="0.025"),
        "video_veo31_fast": offer("video_veo31_fast", credits=2, unit="second", price="0.15", per="seconds"),
        "model_2d_to_3d": offer("model_2d_to_3d", credits=15, unit="request", price="0.02", per="generations"),
    }
