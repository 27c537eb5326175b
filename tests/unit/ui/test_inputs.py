"""What goes into a job on the Generate page: results, frames, recordings; and where fal.ai finds each."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from core import inputs, offers
from core.errors import InvalidInput
from core.inputs import InputFile
from core.models import Person
from tests.pictures import png
from tests.unit.ui import doubles
from tests.unit.ui.studio import Open, Studio, press, words_on
from ui import sources
from ui.sources import Source


def test_a_result_goes_into_any_type_that_takes_it(
    studio: Studio, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.finished = [doubles.job()]
    picture = studio.finished[0].outputs[0]
    sent: list[UUID] = []

    def from_output(_person: Person, output_id: UUID) -> InputFile:
        sent.append(output_id)
        return InputFile("https://v3.fal.media/1.png", "image/png", 1000)

    monkeypatch.setattr(inputs, "from_output", from_output)
    app = open_page(job=str(studio.finished[0].id))
    menu = app.menu_button(key=f"use-{studio.finished[0].id}")
    assert list(menu.options) == ["Veo 3\\.1 Fast", "Trellis · model from a picture"]
    menu.click("video_veo31_fast").run()
    assert app.selectbox(key="gen-model-video").value == "video_veo31_fast"
    app.text_area(key="gen-prompt").input("A slow pan").run()
    press(app)
    [(_, generation_type, given, _)] = studio.submitted
    assert generation_type == "video_veo31_fast"
    assert given["image_url"] == "https://v3.fal.media/1.png"
    assert sent == [picture.id]


def test_a_frame_of_a_video_is_an_input(studio: Studio, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    film = doubles.output(media_type="video/mp4", url="https://files.example/1.mp4", duration_seconds=Decimal(4))
    studio.finished = [doubles.job(generation_type="video_veo31_fast", outputs=(film,))]
    moments: list[Any] = []

    def frame(_person: Person, output_id: UUID, moment: Any) -> InputFile:
        moments.append((output_id, moment))
        return InputFile("https://v3.fal.media/frame.png", "image/png", 1000)

    monkeypatch.setattr(inputs, "frame", frame)
    app = open_page()
    app.button_group(key="gen-media").set_value("3d").run()
    earlier = app.selectbox(key="gen-earlier-image_url")
    assert list(earlier.options) == ["Frame of Three glazed spheres on linen"]
    earlier.select_index(0).run()
    assert 'src="https://files.example/1.mp4#t=3.9"' in words_on(app), "the last frame is seen"
    app.selectbox(key="gen-frame-image_url").select("at").run()
    assert app.number_input(key="gen-frame-image_url-seconds").max == 4
    app.number_input(key="gen-frame-image_url-seconds").set_value(2.5).run()
    assert 'src="https://files.example/1.mp4#t=2.5"' in words_on(app)
    press(app)
    assert moments == [(film.id, Decimal("2.5"))]
    [(_, _, given, _)] = studio.submitted
    assert given["image_url"] == "https://v3.fal.media/frame.png"


def test_a_recording_is_uploaded_or_made_here(studio: Studio, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    voice = doubles.offer("voice_chatterbox", credits=2, unit="request", price="0.00125", per="compute seconds")
    monkeypatch.setattr(offers, "offers", lambda: {"voice_chatterbox": voice})
    heard: list[bytes] = []

    def recording(_person: Person, data: bytes) -> InputFile:
        heard.append(data)
        return InputFile(f"https://v3.fal.media/{len(heard)}.wav", "audio/wav", len(data))

    monkeypatch.setattr(inputs, "recording", recording)
    app = press(open_page())
    assert "Recording is missing" in app.error[0].value.replace("\\", "")
    app.audio_input(key="gen-microphone-source_audio_url").set_value(("voice.wav", b"RIFF spoken", "audio/wav")).run()
    press(app)
    app.file_uploader(key="gen-upload-source_audio_url").set_value(("in.mp3", b"ID3 sung", "audio/mpeg")).run()
    assert [spoken.key for spoken in app.audio_input] == ["gen-microphone-target_voice_audio_url"]
    app.session_state["gen-last-press"] = 0.0
    press(app)
    assert heard == [b"RIFF spoken", b"ID3 sung"]
    assert [given["source_audio_url"] for _, _, given, _ in studio.submitted] == [
        "https://v3.fal.media/1.wav",
        "https://v3.fal.media/2.wav",
    ]


def test_what_an_enlargement_costs_is_shown_once_its_picture_is_there(
    studio: Studio,  # noqa: ARG001 - signed in
    open_page: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clarity = doubles.offer("render_highres", credits=8, unit="image", price="0.03", per="megapixels")
    monkeypatch.setattr(offers, "offers", lambda: {"render_highres": clarity})
    monkeypatch.setattr(inputs, "source_megapixels", lambda _known, _given: Decimal(12))
    app = open_page()
    assert "**8 credits** · about \\$0\\.12 " in words_on(app)
    app.file_uploader(key="gen-upload-image_url").set_value(("in.png", png(2000, 1500), "image/png")).run()
    assert "**8 credits** · about \\$0\\.36 " in words_on(app)
    app.file_uploader(key="gen-upload-image_url").set_value([]).run()
    for source, dollars in (
        (Source("image", url="https://v3.fal.media/1.png"), "1\\.44"),
        (Source("image", output=uuid4(), media_type="image/png", pixels=6_000_000), "0\\.72"),
        (Source("image", output=uuid4(), media_type="image/png"), "0\\.12"),
    ):
        app.session_state["gen-chosen-image_url"] = [source]
        app.run()
        assert f"about \\${dollars} " in words_on(app)


@pytest.mark.parametrize(
    ("source", "way"),
    [
        (Source("image", url="https://v3.fal.media/1.png"), None),
        (Source("image", data=b"png"), "picture"),
        (Source("audio", data=b"wav"), "recording"),
        (Source("image", output=uuid4(), media_type="image/png"), "from_output"),
        (Source("audio", output=uuid4(), media_type="audio/wav"), "from_output"),
        (Source("image", output=uuid4(), media_type="video/mp4"), "frame"),
        (Source("audio", output=uuid4(), media_type="video/mp4"), "sound"),
    ],
)
def test_every_source_has_its_way_to_fal(monkeypatch: pytest.MonkeyPatch, source: Source, way: str | None) -> None:
    ways: list[str] = []

    def going(name: str) -> Any:
        def go(*_given: Any) -> InputFile:
            ways.append(name)
            return InputFile("https://v3.fal.media/sent", "image/png", 1)

        return go

    for name in ("picture", "recording", "from_output", "frame", "sound"):
        monkeypatch.setattr(inputs, name, going(name))
    address = sources.address(doubles.person(), source)
    assert address == (source.url or "https://v3.fal.media/sent")
    assert ways == ([way] if way else [])


def test_of_several_pictures_the_refused_one_is_named(
    studio: Studio, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = doubles.offer("first_frame", credits=10, unit="image", price="0.15", per="images")
    monkeypatch.setattr(offers, "offers", lambda: {"first_frame": frame})

    def picture(_person: Person, data: bytes) -> InputFile:
        if data != b"good":
            raise InvalidInput("This picture is too small.", field="image")
        return InputFile("https://v3.fal.media/1.png", "image/png", 4)

    monkeypatch.setattr(inputs, "picture", picture)
    app = open_page()
    app.text_area(key="gen-prompt").input("On a shelf")
    app.file_uploader(key="gen-upload-image_urls").set_value(
        [("shelf.png", b"good", "image/png"), ("logo.png", b"bad", "image/png")]
    ).run()
    press(app)
    assert studio.submitted == []
    assert "logo.png: This picture is too small" in app.error[0].value.replace("\\", "")
