"""The first start: two demo people and one who waits, a balance, a few jobs and a campaign, made through the same road
as everybody's.

    python -m local.demo

Needs the environment that the supervisor composes. Running it again adds nothing that is there already.
"""

import secrets
import sys
import time
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from core import budget, campaigns, jobs, people, sessions
from core.campaigns import Recipe
from core.errors import AtelierError
from core.models import Job, Person
from local.people import ADMIN, MARKETER, DemoPerson

WAIT_SECONDS = 90.0
STILLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("image_flux_schnell", {"prompt": "Green hills for the spring banner, pale morning sky, soft layers"}),
    ("image_flux_schnell", {"prompt": "Flowing silk in cobalt and coral, close-up, slow folds"}),
    ("image_flux_dev", {"prompt": "Night arch, limited edition poster, geometric shapes, sand and ink"}),
    ("image_flux_schnell", {"prompt": "Citrus gradient for packaging, warm and grainy"}),
    ("image_flux_schnell", {"prompt": "Autumn sale poster, Bauhaus shapes in red, cobalt and ochre"}),
    ("image_flux_schnell", {"prompt": "Terracotta dunes at first light, long shadows, low sun"}),
    (
        "image_flux_schnell",
        {"prompt": "Three glazed ceramic spheres on a linen cloth, soft window light, terracotta and cobalt"},
    ),
)
POSTER = "Launch poster for the winter collection, petals under water, plum and rose"
FILM = "Slow dolly over a misty fjord at dawn, pale sun above layered ridges, calm water, no people"
CAMPAIGN = ("Autumn, made by hand", "Three short clips for the autumn launch: warm, unhurried, hands at work.")
CLIPS = (
    ("Clay", "A potter at the wheel, morning light, warm clay", "Every cup begins as a handful of earth."),
    ("Glaze", "Ceramic vase, cobalt glaze running down matte white, close-up", "One dip, and no two are alike."),
    ("Table", "A table laid for four on linen, plums and late sun", "Made to be used, every day."),
)
WAITING = DemoPerson("lea@atelier.example", "Lea Martin", "user")
REFUSED = "A famous actor holding our bottle, photorealistic [sim:fail422]"


def seed() -> None:
    """Bring the demo data in. Raises AtelierError when a part of the stack does not do its work."""
    admin = _signed_in(ADMIN)
    marketer = _signed_in(MARKETER)
    if not marketer.is_approved:
        people.approve(admin, marketer.user_id)
        marketer = _signed_in(MARKETER)
    people.grant_credits(admin, marketer.user_id, 100, "To get started", "demo:marketer")
    people.grant_credits(admin, admin.user_id, 100, "To get started", "demo:admin")
    if admin.budget.amount is None:
        budget.set_balance(admin, Decimal("50.00"))
    made = [_job(marketer, f"still:{number}", kind, inputs) for number, (kind, inputs) in enumerate(STILLS)]
    _job(marketer, "refused", "image_flux_dev", {"prompt": REFUSED})
    first_frame = _finished(marketer, made[-2])
    if not first_frame.outputs:
        raise RuntimeError(f"The picture that the film begins with {first_frame.status}: {first_frame.error_message}")
    film = {"prompt": FILM, "image_url": first_frame.outputs[0].source_url, "duration": 6}
    made.append(_job(marketer, "film", "video_veo31_fast", film))
    made.append(_job(admin, "poster", "image_flux_schnell", {"prompt": POSTER}))
    made += _campaign(marketer)
    for job in made:
        _finished(admin, job)
    sessions.sign_up(WAITING.email, secrets.token_urlsafe(18), WAITING.full_name)  # for an admin to approve


def _signed_in(demo: DemoPerson) -> Person:
    """The demo person, signed up when they are new."""
    sessions.sign_up(demo.email, demo.password, demo.full_name)
    signed_in = sessions.sign_in(demo.email, demo.password, address="127.0.0.1", user_agent="local demo")
    person = sessions.current(signed_in.cookie_value)
    if person is None:
        raise RuntimeError(f"{demo.email} has signed in and is not known.")
    return person


def _job(person: Person, name: str, generation_type: str, inputs: dict[str, Any]) -> Job:
    """A job whose id follows from its name, so that seeding twice makes it once."""
    return jobs.submit(person, generation_type, inputs, job_id=_id(name))


def _campaign(person: Person) -> list[Job]:
    """A campaign whose first frames are being made; what comes after them is for whoever tries it."""
    name, brief = CAMPAIGN
    campaign = campaigns.create_campaign(person, name, brief, visibility="team", campaign_id=_id("campaign"))
    made = []
    for title, prompt, script in CLIPS:
        recipes: dict[campaigns.Step, Recipe] = {
            "first_frame": Recipe("image_flux_schnell", {"prompt": prompt, "shape": "tall"}),
            "video": Recipe("video_veo31_fast", {"prompt": f"{prompt}, slow dolly", "duration": 4}),
            "ambient": Recipe("ambient_elevenlabs", {"text": f"{title}: a quiet workshop"}),
        }
        clip = campaigns.add_clip(
            person, campaign.id, title=title, script=script, recipes=recipes, clip_id=_id(f"clip:{title}")
        )
        made.append(campaigns.generate(person, clip.id, "first_frame", job_id=_id(f"frame:{title}")))
    return made


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
    except (AtelierError, RuntimeError) as error:
        sys.exit(f"The demo data could not be made: {error}")
