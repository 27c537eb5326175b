"""What the Generate form begins with and is filled with: the last settings, prompts of before, presets."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from streamlit.testing.v1 import AppTest

from core import catalog, presets, prompts
from core.errors import InvalidInput
from core.models import LastSettings, Person
from core.presets import Preset
from core.prompts import UsedPrompt
from tests.unit.ui import doubles
from tests.unit.ui.studio import Open, Studio, click, press, words_on

DEV = "image_flux_dev"


class Shelf:
    """Prompts and presets, and what was asked of them."""

    def __init__(self) -> None:
        self.prompts: list[UsedPrompt] = []
        self.presets: list[Preset] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def history(self, _person: Person, media_kind: str, **more: Any) -> tuple[UsedPrompt, ...]:
        self.asked.append((media_kind, more))
        found = [used for used in self.prompts if more["text"].lower() in used.text.lower()]
        return tuple(found[: more["limit"]])

    def save(self, person: Person, generation_type: str, name: str, inputs: dict[str, Any]) -> bool:
        if not name:
            raise InvalidInput("Give the preset a name, 60 characters at most.", field="name")
        self.presets.append(Preset(uuid4(), person.user_id, generation_type, name, inputs, False))
        return False

    def rename(self, _person: Person, preset: Preset, name: str) -> None:
        self.presets = [replace(kept, name=name) if kept.id == preset.id else kept for kept in self.presets]

    def share(self, _person: Person, preset: Preset, shared: bool) -> None:
        self.presets = [replace(kept, is_shared=shared) if kept.id == preset.id else kept for kept in self.presets]

    def delete(self, _person: Person, preset: Preset) -> None:
        self.presets = [kept for kept in self.presets if kept.id != preset.id]

    def add(self, name: str, generation_type: str = DEV, owner: UUID = doubles.ME, **inputs: Any) -> Preset:
        self.presets.append(Preset(uuid4(), owner, generation_type, name, inputs, owner != doubles.ME))
        return self.presets[-1]


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    shelf = Shelf()
    monkeypatch.setattr(prompts, "history", shelf.history)
    monkeypatch.setattr(presets, "list_presets", lambda _person: tuple(shelf.presets))
    for name in ("save", "rename", "share", "delete"):
        monkeypatch.setattr(presets, name, getattr(shelf, name))
    return shelf


def used(text: str, **changes: Any) -> UsedPrompt:
    inputs = {"prompt": text, "shape": "wide", "num_images": 3, "steps": 40}
    return replace(UsedPrompt(uuid4(), DEV, text, inputs, doubles.NOON - timedelta(days=1), False), **changes)


def choose(app: AppTest, preset: Preset, what: str) -> AppTest:
    """From the menu of a preset; AppTest has no such menu of its own, so its answer is put where it lands."""
    app.session_state["gen-preset-row"] = (preset.id, what)
    app.run()
    assert not app.exception
    return app


# The last settings


def test_a_visit_begins_with_what_was_set_last(studio: Studio, open_page: Open) -> None:
    studio.last_settings = [
        LastSettings("no_such_model", {"shape": "wide"}),
        LastSettings(DEV, {"shape": "wide", "num_images": 3, "seed": 7, "guidance": 99, "steps": 40}),
        LastSettings("image_flux_schnell", {"shape": "hexagon", "steps": 6}),
    ]
    app = open_page()
    assert app.selectbox(key="gen-model-image").value == DEV
    assert app.selectbox(key=f"gen-{DEV}-shape").value == "wide"
    assert app.number_input(key=f"gen-{DEV}-num_images").value == 3
    assert app.number_input(key=f"gen-{DEV}-steps").value == 40
    assert app.number_input(key=f"gen-{DEV}-seed").value is None, "a seed is for one job"
    app.selectbox(key="gen-model-image").select("image_flux_schnell").run()
    assert app.selectbox(key="gen-image_flux_schnell-shape").value == "square", "that is no shape any more"
    assert app.number_input(key="gen-image_flux_schnell-steps").value == 6
    assert not app.exception


def test_the_last_settings_are_asked_for_once_a_visit(studio: Studio, open_page: Open) -> None:
    asked: list[bool] = []
    current = studio.current

    def counted(cookie: str | None, *, watching: bool = False, settings: bool = False) -> Person | None:
        asked.append(settings)
        return current(cookie, watching=watching, settings=settings)

    studio.current = counted  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.sessions.current", counted)
        app = open_page("jobs")
        app.run()
    assert asked.count(True) == 1
    assert len(asked) > 1


def test_used_again_is_as_it_was_and_not_as_it_was_set_last(studio: Studio, open_page: Open) -> None:
    studio.last_settings = [LastSettings(DEV, {"shape": "wide", "steps": 40})]
    studio.finished = [doubles.job(generation_type=DEV, input_params={"prompt": "Old words", "num_images": 2})]
    app = open_page(job=str(studio.finished[0].id))
    click(app, "Use again").run()
    assert app.text_area(key="gen-prompt").value == "Old words"
    assert app.selectbox(key=f"gen-{DEV}-shape").value == "square"
    assert app.number_input(key=f"gen-{DEV}-steps").value == 28


# Prompts of before


def test_a_prompt_of_before_alone_or_with_all_its_settings(studio: Studio, shelf: Shelf, open_page: Open) -> None:
    shelf.prompts = [used("A hill"), used("A lake")]
    app = open_page()
    assert shelf.asked == [], "nothing is looked up before somebody wants to see it"
    click(app, "History")
    assert "A lake" in words_on(app)
    click(app, "Use prompt", 1)
    app.run()
    assert app.text_area(key="gen-prompt").value == "A lake"
    assert app.selectbox(key="gen-model-image").value == "image_flux_schnell"
    assert "Prompt history" not in words_on(app)
    click(click(app, "History"), "Use all settings").run()
    assert app.text_area(key="gen-prompt").value == "A hill"
    assert app.selectbox(key="gen-model-image").value == DEV
    assert app.number_input(key=f"gen-{DEV}-num_images").value == 3
    press(app)
    assert studio.submitted[0][2]["steps"] == 40


def test_prompts_are_searched_and_shown_in_portions(shelf: Shelf, open_page: Open) -> None:
    shelf.prompts = [used(f"Hill {number}") for number in range(15)]
    app = click(open_page(), "History")
    assert sum(button.label == "Use prompt" for button in app.button) == 10
    click(app, "Show more")
    assert sum(button.label == "Use prompt" for button in app.button) == 15
    app.text_input(key="gen-history-text").input("hill 14").run()
    app.toggle(key="gen-history-favourites").set_value(True).run()
    assert sum(button.label == "Use prompt" for button in app.button) == 1
    assert shelf.asked[-1] == ("image", {"text": "hill 14", "favourites": True, "limit": 31})
    app.text_input(key="gen-history-text").input("nothing like it").run()
    assert "No prompt of yours matches." in words_on(app)


def test_a_prompt_of_before_is_never_markup(shelf: Shelf, open_page: Open) -> None:
    shelf.prompts = [used(":red[x] <b onclick=alert()>")]
    app = click(open_page(), "History")
    assert [text.value for text in app.text] == [":red[x] <b onclick=alert()>"]
    assert "onclick" not in "".join(str(html.value) for html in app.html)


# Presets


def test_what_is_on_the_form_is_kept_under_a_name_without_prompt_or_with_it(shelf: Shelf, open_page: Open) -> None:
    app = open_page()
    app.text_area(key="gen-prompt").input("A lighthouse")
    app.selectbox(key="gen-image_flux_schnell-shape").select("tall")
    app.number_input(key="gen-image_flux_schnell-batches").set_value(4).run()
    click(app, "Presets")
    assert "with one click" in words_on(app)
    app.text_input(key="gen-preset-name").input("Stories")
    click(app, "Save preset")
    app.text_input(key="gen-preset-name").input("With words")
    app.checkbox(key="gen-preset-with-prompt").check()
    click(app, "Save preset")
    first, second = shelf.presets
    assert (first.name, first.inputs) == ("Stories", {"shape": "tall", "batches": 2, "steps": 4})
    assert second.inputs == first.inputs | {"prompt": "A lighthouse"}
    click(app, "Save preset")
    assert "Give the preset a name" in app.error[0].value
    assert len(shelf.presets) == 2


def test_a_preset_sets_its_settings_and_leaves_the_prompt(shelf: Shelf, open_page: Open) -> None:
    shelf.add("Tall fours", "image_flux_schnell", shape="tall", batches=2)
    app = open_page()
    app.text_area(key="gen-prompt").input("A lighthouse")
    app.number_input(key="gen-image_flux_schnell-steps").set_value(9).run()
    click(click(app, "Presets"), "Use").run()
    assert app.text_area(key="gen-prompt").value == "A lighthouse"
    assert app.selectbox(key="gen-image_flux_schnell-shape").value == "tall"
    assert app.number_input(key="gen-image_flux_schnell-batches").value == 4
    assert app.number_input(key="gen-image_flux_schnell-steps").value == 4, "what the preset leaves open is as usual"
    assert app.button(key="generate-button").label == "Generate 4 images"
    assert not app.info


def test_what_the_catalogue_no_longer_has_is_said_and_the_rest_applied(shelf: Shelf, open_page: Open) -> None:
    shelf.add("Old", DEV, shape="hexagon", num_images=3, sparkle=True, prompt="In old words")
    app = open_page()
    click(click(app, "Presets"), "Use").run()
    assert app.selectbox(key="gen-model-image").value == DEV
    assert app.number_input(key=f"gen-{DEV}-num_images").value == 3
    assert app.text_area(key="gen-prompt").value == "In old words"
    assert "Some of it was left out" in app.info[0].value
    assert "Shape must be one of" in app.info[0].value
    assert "sparkle" in app.info[0].value
    assert press(app.run()).info == [], "said until the button is pressed"


@pytest.mark.parametrize("gone", ["video_kling", "image_nano_banana"])
def test_a_preset_of_a_model_that_is_gone_says_so(shelf: Shelf, open_page: Open, gone: str) -> None:
    assert gone not in doubles.offers()
    shelf.add("Gone", gone, prompt="In old words")
    app = open_page()
    click(click(app, "Presets"), "Use").run()
    assert "is not on offer at the moment" in app.info[0].value
    assert "The prompt is filled in" in app.info[0].value
    assert app.text_area(key="gen-prompt").value == "In old words"
    assert app.selectbox(key="gen-model-image").value == "image_flux_schnell"


def test_a_preset_is_renamed_and_deleted_after_a_yes(shelf: Shelf, open_page: Open) -> None:
    preset = shelf.add("Storys")
    app = choose(click(open_page(), "Presets"), preset, "Rename")
    app.text_input(key=f"preset-name-{preset.id}").input("Stories")
    click(app, "Rename")
    assert [kept.name for kept in shelf.presets] == ["Stories"]
    click(choose(app, shelf.presets[0], "Delete"), "Keep it")
    assert len(shelf.presets) == 1
    click(choose(app, shelf.presets[0], "Delete"), "Delete")
    assert shelf.presets == []


def test_only_who_may_change_a_preset_is_offered_to(studio: Studio, shelf: Shelf, open_page: Open) -> None:
    preset = shelf.add("House style", owner=uuid4())
    assert not preset.may_change(doubles.person())
    assert preset.may_change(doubles.person(role="admin"))
    assert not replace(preset, is_shared=False).may_change(doubles.person(role="admin"))
    studio.person = doubles.person(role="admin")
    app = click(open_page(), "Presets")
    assert "the team's" in words_on(app).replace("\\", "")


# Favourites


def test_every_model_can_be_filled_from_what_it_was_given(open_page: Open) -> None:
    """Whatever a type stored once goes back into its widgets."""
    for key, known in catalog.GENERATION_TYPES.items():
        defaults = {field.name: field.default for field in known.fields if field.default is not None}
        assert known.acceptable(defaults) == (defaults, []), key
    assert not open_page().exception
