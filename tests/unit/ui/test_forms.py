"""The form of every generation type: it shows what the catalogue says and sends what the catalogue accepts."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core import catalog, inputs, offers
from core.catalog import GENERATION_TYPES, Field
from tests.unit.catalog_strategies import URL, offer
from tests.unit.ui.studio import Open, Studio, press, words_on
from ui import cost_line, form
from ui.sources import Source

KEYS = sorted(GENERATION_TYPES)


@pytest.fixture
def opened(studio: Studio, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Opens the form of one type, all types on offer."""
    assert studio.person is not None
    found = {key: offer(key) for key in GENERATION_TYPES}
    monkeypatch.setattr(offers, "offers", lambda: found)
    monkeypatch.setattr(inputs, "source_megapixels", lambda _known, _given: None)

    def opened(key: str) -> AppTest:
        app = open_page()
        media = GENERATION_TYPES[key].media
        app.button_group(key="gen-media").set_value(media).run()
        app.selectbox(key=form.model_key(media)).select(key).run()
        assert not app.exception
        return app

    return opened


def widget(app: AppTest, key: str, field: Field) -> Any:
    kinds = {"choice": "selectbox", "toggle": "toggle", "text": "text_input", "integer": "number_input"}
    return getattr(app, kinds.get(field.kind, "number_input"))(key=form.setting_key(key, field.name))


@pytest.mark.parametrize("key", KEYS)
def test_every_setting_is_there_with_its_limits_and_default(opened: Any, key: str) -> None:
    app, known = opened(key), GENERATION_TYPES[key]
    prompt = form.prompt_field(offer(key))
    for field in known.fields:
        if field.is_file or not field.per_job:
            continue
        if field is prompt:
            area = app.text_area(key="gen-prompt")
            assert (area.label, area.proto.max_chars) == (field.label, field.maximum)
            assert area.placeholder
            continue
        drawn = widget(app, key, field)
        assert drawn.label == field.label
        if field.kind == "choice":
            assert drawn.options == [label for _, label in field.options]
            assert drawn.value == field.default
        elif field.kind == "text":
            assert drawn.proto.max_chars == field.maximum
        elif field.kind == "toggle":
            assert drawn.value == field.default
        else:
            assert (drawn.min, drawn.max) == (field.minimum, field.maximum)
            assert drawn.value == field.default


@pytest.mark.parametrize("key", KEYS)
def test_the_price_stands_before_the_button_and_the_press_sends_what_is_accepted(
    studio: Studio, opened: Any, key: str
) -> None:
    app, known = opened(key), GENERATION_TYPES[key]
    assert studio.person is not None
    quote = catalog.quote(offer(key), {})
    assert cost_line.text(studio.person, quote, 1) in words_on(app)
    required = [field for field in known.fields if field.required]
    press(app)
    assert studio.submitted == []
    assert f"{required[0].label} is missing" in app.error[0].value.replace("\\", "")

    given: dict[str, Any] = {}
    for field in known.fields:
        if field.kind == "text" and field.required:
            app.text_area(key="gen-prompt").input("A lamp on a table")
            given[field.name] = "A lamp on a table"
        elif field.required:
            family: Any = "audio" if field.kind == "audio" else "image"
            app.session_state[form.chosen_key(field.name)] = [Source(family, url=URL)]
            given[field.name] = [URL] if field.kind == "images" else URL
    app.session_state["gen-last-press"] = 0.0
    press(app.run())
    [(_, generation_type, sent, credits)] = studio.submitted
    assert (generation_type, credits) == (key, quote.credits)
    assert sent == catalog.validate(key, given)
