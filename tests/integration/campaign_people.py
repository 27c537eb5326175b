"""Somebody with credits, the recipes of their clips, and what came of their campaigns."""

import io
import zipfile
from typing import Any

import pytest

from core import inputs
from core.campaigns import Recipe, Step
from core.models import Person
from tests.integration.studio import Studio, studio  # noqa: F401
from tests.pictures import jpeg


@pytest.fixture(name="person", scope="module")
def person_fixture(studio: Studio) -> Person:  # noqa: F811
    return studio.person(5000)


def recipes(person: Person, scene: str = "A potter at the wheel") -> dict[Step, Recipe]:
    """A clip that wants all five steps."""
    return {
        "first_frame": Recipe("first_frame", {"prompt": scene, "image_urls": [inputs.picture(person, jpeg()).url]}),
        "video": Recipe("video_veo31_fast", {"prompt": f"{scene}, speaking to us", "duration": 4}),
        "voice": Recipe("voice_chatterbox", {"target_voice": "Siobhan"}),
        "ambient": Recipe("ambient_elevenlabs", {"text": "A quiet workshop"}),
        "transcript": Recipe("transcribe_whisper"),
    }


def archive(pieces: Any) -> zipfile.ZipFile:
    content = zipfile.ZipFile(io.BytesIO(b"".join(pieces)))
    assert content.testzip() is None
    return content
