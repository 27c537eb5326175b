"""The first start: a team, a balance, a campaign and the jobs of a day, made through the same road as everybody's.

    python -m local.demo

Needs the environment that the supervisor composes. What is told is in `local.story`. Running it again adds nothing that
is there already.
"""

import sys
import time
from collections.abc import Iterable
from uuid import NAMESPACE_URL, UUID, uuid5

import httpx

from core import budget, campaigns, jobs, limits, payments, people, sessions
from core.campaigns import Step
from core.errors import AtelierError, Refused
from core.models import Job, Person
from core.settings import get_settings
from local import story
from local.people import ADMIN, APPLICANT, MARKETER, SOCIAL, DemoPerson
from local.story import Wish

WAIT_SECONDS = 90.0


def seed() -> None:
    """Bring the demo data in. Raises AtelierError when a part of the stack does not do its work."""
    admin = _signed_in(ADMIN)
    marketer, social = (_approved(admin, demo) for demo in (MARKETER, SOCIAL))
    _signed_in(APPLICANT)
    for name, person in (("marketer", marketer), ("admin", admin), ("social", social)):
        people.grant_credits(admin, person.user_id, 100, "For the winter collection", f"demo:{name}")
    if admin.budget.amount is None:
        budget.set_balance(admin, story.BALANCE)
    limits.set_monthly_cap(admin, social.user_id, story.LEAS_CAP, "Posters only")
    made = [*_wished(marketer, story.JONAS), *_wished(social, story.LEA), *_wished(admin, story.MARA)]
    _wished(marketer, [story.REFUSED])
    filming = _campaign(marketer)
    _buys_credits(admin)
    for job in made + filming:
        _finished(admin, job)


def _approved(admin: Person, demo: DemoPerson) -> Person:
    person = _signed_in(demo)
    if person.is_approved:
        return person
    people.approve(admin, person.user_id)
    return _signed_in(demo)


def _signed_in(demo: DemoPerson) -> Person:
    """The demo person, signed up when they are new."""
    sessions.sign_up(demo.email, demo.password, demo.full_name)
    signed_in = sessions.sign_in(demo.email, demo.password, address="127.0.0.1", user_agent="local demo")
    person = sessions.current(signed_in.cookie_value)
    if person is None:
        raise RuntimeError(f"{demo.email} has signed in and is not known.")
    return person


def _wished(person: Person, wishes: Iterable[Wish]) -> list[Job]:
    """The jobs of these wishes: each has the id that follows from its name, so that seeding twice makes it once."""
    return [jobs.submit(person, wish.generation_type, wish.inputs, job_id=_id(wish.name)) for wish in wishes]


def _campaign(person: Person) -> list[Job]:
    """The campaign with its clips, shared with the team; returns the jobs that make its last steps."""
    known = campaigns.create_campaign(
        person, story.CAMPAIGN, story.BRIEF, visibility="team", campaign_id=_id("campaign")
    )
    clips = {}
    for shot in story.SHOTS:
        clip = campaigns.add_clip(
            person,
            known.id,
            title=shot.title,
            script=shot.script,
            recipes=shot.recipes,
            clip_id=_id(f"clip:{shot.name}"),
        )
        clips[shot.name] = clip.id
    frames = {name: _step(person, clip, "first_frame", name) for name, clip in clips.items()}
    for frame in frames.values():
        _finished(person, frame)
    return [_step(person, clips[shot.name], "video", shot.name) for shot in story.SHOTS if shot.is_filmed]


def _step(person: Person, clip: UUID, step: Step, name: str) -> Job:
    return campaigns.generate(person, clip, step, job_id=_id(f"{step}:{name}"))


def _buys_credits(person: Person) -> None:
    """One pack, paid at the simulated Stripe; its webhook brings the credits."""
    settings = get_settings()
    if "Stripe" not in settings.simulated:
        return
    back = f"http://127.0.0.1:{settings.app_port}/credits"
    try:
        page = payments.start_checkout(
            person,
            "credits_100",
            success_url=f"{back}?paid={{CHECKOUT_SESSION_ID}}",
            cancel_url=back,
            order_id=_id("pack"),
        )
    except Refused:  # paid by an earlier start
        return
    answer = httpx.post(f"{page}/pay", timeout=10)  # leads back to the studio
    if not answer.is_redirect:
        raise RuntimeError(f"The simulated Stripe took no payment (HTTP {answer.status_code}).")


def _id(name: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"atelier:demo:{name}")


def _finished(person: Person, job: Job) -> Job:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        now = jobs.get(person, job.id)
        if not now.is_open:
            return now
        time.sleep(0.3)
    raise RuntimeError(f"The demo job {job.id} has not ended within {WAIT_SECONDS:.0f} s.")


if __name__ == "__main__":
    try:
        seed()
    except (AtelierError, RuntimeError, httpx.HTTPError) as error:
        sys.exit(f"The demo data could not be made: {error}")
