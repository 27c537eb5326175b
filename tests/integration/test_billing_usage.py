"""What fal.ai says was used and what it charges: days of usage, drift, the account, prices."""

from datetime import timedelta
from decimal import Decimal

import pytest

from core import billing, fal_account, limits, offers, prices
from core.errors import NotAllowed
from core.fal.platform import FalPlatform
from core.models import Person
from tests.integration.billing_stack import Studio
from tests.integration.billing_stack import billing_stack as billing_stack  # fixtures of this file alone
from tests.integration.billing_stack import studio_fixture as studio_fixture
from tests.integration.chores import (
    admin_fixture,  # noqa: F401
    run,
    state,
    today,
)


def test_a_day_of_usage_is_the_teams_to_the_minute(studio: Studio, admin: Person) -> None:
    """Midnight in Kathmandu is a quarter past an hour of UTC."""
    studio.monkeypatch.setattr(billing, "SETTLED", timedelta(0))
    limits.set_timezone(admin, "Asia/Kathmandu")
    try:
        since = studio.books.value(
            "select extract(epoch from now() - private.team_day_start(private.team_day(now())))::float8"
        )
        for ago in (since + 300, max(since - 300, 0)):
            studio.control("foreign", endpoint_id="fal-ai/flux/dev", ago_s=str(ago))
        run(studio, "usage")
        (row,) = [row for row in billing.drift(admin, today(studio)) if row.endpoint == "fal-ai/flux/dev"]
        assert (row.fal, row.foreign_requests) == (Decimal("0.025"), 1), "what was billed five minutes before it"
    finally:
        limits.set_timezone(admin, "UTC")


def test_requests_made_elsewhere_are_the_drift(studio: Studio, admin: Person) -> None:
    studio.monkeypatch.setattr(billing, "SETTLED", timedelta(0))
    studio.run_at_fal(studio.books.person())
    run(studio, "billing", "usage")
    before = {row.endpoint: row for row in billing.drift(admin, today(studio))}
    made = studio.control("foreign", endpoint_id="fal-ai/flux/dev", count=3, quantity="2")["request_ids"]
    run(studio, "usage")
    assert state(admin, "usage").facts["foreign"] == 3
    row = {row.endpoint: row for row in billing.drift(admin, today(studio))}["fal-ai/flux/dev"]
    assert (row.ours, row.fal, row.drift, row.foreign, row.foreign_requests) == (
        Decimal(0),
        Decimal("0.15"),
        Decimal("0.15"),
        Decimal("0.15"),
        3,
    )
    listed = billing.foreign_charges(admin, today(studio))
    assert set(made) <= {charge.request_id for charge in listed}
    assert {charge.usd for charge in listed if charge.request_id in made} == {Decimal("0.05")}
    ours = before["fal-ai/flux/schnell"]
    assert ours.foreign_requests == 0
    run(studio, "usage")
    assert [row.drift for row in billing.drift(admin, today(studio)) if row.endpoint == "fal-ai/flux/dev"] == [
        Decimal("0.15")
    ]
    with pytest.raises(NotAllowed):
        billing.drift(studio.as_person(studio.books.person()), today(studio))


def test_the_present_day_is_read_as_far_as_fal_can_know_it(studio: Studio, admin: Person) -> None:
    """What was charged a moment ago may not be in fal.ai's books yet: neither side counts it."""
    studio.control("foreign", endpoint_id="fal-ai/trellis")
    job = studio.run_at_fal(studio.books.person())
    run(studio, "usage")
    found = {row.endpoint: row for row in billing.drift(admin, today(studio))}
    assert "fal-ai/trellis" not in found
    assert job not in {row.job_id for row in billing.unbilled_jobs(admin, today(studio))}
    studio.monkeypatch.setattr(billing, "SETTLED", timedelta(0))
    run(studio, "usage")
    found = {row.endpoint: row for row in billing.drift(admin, today(studio))}
    assert found["fal-ai/trellis"].foreign_requests == 1
    assert found["fal-ai/trellis"].until is not None
    assert job in {row.job_id for row in billing.unbilled_jobs(admin, today(studio))}
    run(studio, "billing")
    assert job not in {row.job_id for row in billing.unbilled_jobs(admin, today(studio))}


def test_the_account_is_let_go_of(studio: Studio, admin: Person) -> None:
    studio.books.owner.execute("update private.provider_state set account_id = 'ours' where provider = 'fal'")
    assert (fal_account.forget(admin, "another"), fal_account.pinned(admin)) == (False, "ours")
    assert (fal_account.forget(admin, "ours"), fal_account.pinned(admin)) == (True, None)
    with pytest.raises(NotAllowed):
        fal_account.pinned(studio.as_person(studio.books.person()))


def test_prices_are_brought_to_fals(studio: Studio, admin: Person) -> None:
    studio.books.owner.execute(
        "update generation_types set unit_price_usd = 9, price_source = 'synced'"
        " where generation_type = 'image_flux_dev'"
    )
    offers.forget()
    assert offers.offers()["image_flux_dev"].unit_price_usd == 9
    found = prices.sync(admin)
    assert found.changed == ("Flux Dev · finer detail",)
    assert found.problems == ()
    assert offers.offers()["image_flux_dev"].unit_price_usd == Decimal("0.025")
    newest = prices.history(admin)[0]
    assert (newest.before, newest.after, newest.source) == (Decimal(9), Decimal("0.025"), "synced")
    run(studio, "prices")
    assert state(admin, "prices").facts["changed"] == []
    with pytest.raises(NotAllowed):
        prices.sync(studio.as_person(studio.books.person()))


def test_a_retired_endpoint_does_not_keep_the_other_prices_away(studio: Studio, admin: Person) -> None:
    real = FalPlatform.pricing
    studio.monkeypatch.setattr(
        FalPlatform,
        "pricing",
        lambda self, endpoints: real(
            self, [f"{name}-retired" if name == "fal-ai/trellis" else name for name in endpoints]
        ),
    )
    found = prices.sync(admin)
    assert [problem.partition(":")[0] for problem in found.problems] == ["Trellis · model from a picture"]
    assert found.same + len(found.changed) == len(offers.offers()) - 1
