"""Favourites, prompts of before, presets and the last settings, through the API that the pages use."""

import pytest

from core import jobs, presets, prompts, sessions
from core.errors import InvalidInput, NotFound, Refused
from core.models import JobFilter
from tests.integration.atelier import SCHNELL, Atelier
from tests.integration.hands import created


def test_what_people_keep(atelier: Atelier) -> None:
    atelier.restart(PUBLIC_URL="")
    person, other = atelier.new_marketer(), atelier.new_marketer()
    first, second = created(person, "A hill, 50% fog"), created(person, "A lake")
    jobs.cancel(person, first.id)
    jobs.cancel(person, second.id)
    jobs.mark_favourite(person, first.id, True)
    with pytest.raises(NotFound):
        jobs.mark_favourite(other, first.id, True)
    assert jobs.get(person, first.id).is_favourite
    assert [j.id for j in jobs.list_finished(person, matching=JobFilter(favourites=True)).jobs] == [first.id]
    assert [used.text for used in prompts.history(person, "image")] == ["A lake", "A hill, 50% fog"]
    (used,) = prompts.history(person, "image", text="50% FOG", favourites=True)
    assert (used.job_id, used.generation_type, used.is_favourite) == (first.id, SCHNELL, True)
    assert used.inputs["prompt"] == used.text

    told = sessions.current(atelier.cookies[person.user_id], settings=True)
    assert told is not None
    (last,) = told.last_settings
    assert last.generation_type == SCHNELL
    assert last.inputs == {name: value for name, value in second.input_params.items() if name != "prompt"}
    assert atelier.now(person).last_settings == ()

    on_form = {"prompt": "In soft light", "shape": "wide", "seed": None, "batches": 2, "image_url": "https://x.test/1"}
    assert presets.save(person, SCHNELL, "Stories", on_form) is False
    assert presets.save(person, SCHNELL, "stories", on_form | {"shape": "tall"}) is True
    (kept,) = presets.list_presets(person)
    assert (kept.name, kept.inputs) == ("stories", {"prompt": "In soft light", "shape": "tall", "batches": 2})
    with pytest.raises(InvalidInput, match="60 characters"):
        presets.rename(person, kept, " ")
    with pytest.raises(Refused, match="Only an admin"):
        presets.share(person, kept, True)
    assert presets.save(atelier.admin, SCHNELL, "House style", {"shape": "wide"}) is False
    (house,) = [preset for preset in presets.list_presets(atelier.admin) if preset.name == "House style"]
    presets.share(atelier.admin, house, True)
    assert [preset.name for preset in presets.list_presets(other)] == ["House style"]
    assert [preset.may_change(person) for preset in presets.list_presets(person)] == [False, True]
    presets.delete(person, kept)
    presets.delete(atelier.admin, house)
    assert presets.list_presets(person) == ()
