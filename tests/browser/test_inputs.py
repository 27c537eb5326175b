"""Files that go in and come out: a recording is uploaded and gets another voice, a picture becomes a 3D model."""

import io
import math
import re
import struct
import wave
import zipfile
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from PIL import Image
from playwright.sync_api import Frame, Page, expect

from tests.browser.conftest import Site, go, settle

WHOLE_STORY = 60_000  # milliseconds: an upper bound against hanging, not a measure
RATE = 16_000


@pytest.fixture(scope="module")
def recording() -> bytes:
    """One second of a tone."""
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(b"".join(struct.pack("<h", int(8000 * math.sin(i / 20))) for i in range(RATE)))
    return written.getvalue()


def picture() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (256, 256), "#2F43D0").save(written, "PNG")
    return written.getvalue()


def pick_kind(page: Page, name: str) -> None:
    page.get_by_test_id("stButtonGroup").first.get_by_text(name, exact=True).click()
    settle(page)


def upload(page: Page, name: str, media_type: str, data: bytes) -> None:
    page.locator("input[type=file]").first.set_input_files({"name": name, "mimeType": media_type, "buffer": data})
    expect(page.get_by_text(name)).to_be_visible()
    settle(page)


def becomes_true(frame: Frame, expression: str) -> None:
    """Asked again and again from outside: the page's own policy keeps waiting functions out."""
    for _ in range(200):
        if frame.evaluate(expression):
            return
        frame.page.wait_for_timeout(100)
    raise AssertionError(f"Never true: {expression}")


def speak(page: Page) -> None:
    """Record a second with the microphone on screen."""
    microphone = page.get_by_test_id("stAudioInput").last
    microphone.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(1000)
    microphone.get_by_role("button", name="Stop recording").click()
    # The button of the panel says what is chosen; the panel closes as its label changes.
    expect(page.get_by_test_id("stPopoverButton").filter(has_text="Recording")).to_be_visible()
    settle(page)


def test_a_recording_gets_another_voice(
    new_marketer: Callable[..., tuple[Page, str]], site: Site, recording: bytes, tmp_path: Path
) -> None:
    page, email = new_marketer(10)
    pick_kind(page, "Voice")
    expect(page.get_by_text("Or record it now").first).to_be_visible()
    upload(page, "voice.wav", "audio/wav", recording)
    page.get_by_role("button", name="Add a voice sample").click()
    settle(page)
    speak(page)
    page.keyboard.press("Escape")
    settle(page)
    page.get_by_role("button", name="Generate recording").click()
    card = page.get_by_role("button", name="Voice by Chatterbox HD")
    expect(card.first).to_be_visible(timeout=WHOLE_STORY)
    expect(page.get_by_text("Running now")).to_have_count(0, timeout=WHOLE_STORY)
    go(page, "/jobs")
    card.first.click()
    settle(page)
    with psycopg.connect(site.database_url) as connection:
        sent = connection.execute(
            "select media_type, duration_seconds from public.input_files join public.profiles using (user_id)"
            " where email = %s order by sent_at",
            (email,),
        ).fetchall()
    assert [media_type for media_type, _ in sent] == ["audio/wav"] * 2, "what was uploaded and what was spoken"
    assert sent[0][1] == 1
    assert 0.5 < sent[1][1] < 10
    player = page.get_by_test_id("stDialog").locator("audio")
    expect(player).to_be_visible()
    page.wait_for_function("element => element.duration > 0", arg=player.element_handle())

    with page.expect_download() as started:
        page.get_by_test_id("stDialog").get_by_role("button", name="Download").click()
    path = tmp_path / "voice"
    started.value.save_as(path)
    assert path.read_bytes()[:4] in (b"RIFF", b"ID3\x04", b"OggS")

    page.get_by_role("button", name="Use as input for").click()
    page.get_by_text("Whisper · transcript and subtitles").last.click()
    settle(page)
    page.get_by_role("button", name="Generate transcript").click()
    card = page.get_by_role("button", name=re.compile("^“"))  # what was said, in quotes
    expect(card.first).to_be_visible(timeout=WHOLE_STORY)
    expect(page.get_by_text("Running now")).to_have_count(0, timeout=WHOLE_STORY)
    go(page, "/jobs")
    card.first.click()
    settle(page)
    frame = page.frame_locator("iframe[title^='The transcript']")
    expect(frame.locator("audio")).to_be_visible()
    first = frame.locator("[data-from]").first
    first.click()
    expect(frame.locator(".said").first).to_be_visible()
    for name in ("Text", "SRT", "VTT"):
        expect(page.get_by_role("button", name=name)).to_be_visible()


def test_a_picture_becomes_a_model_that_turns(new_marketer: Callable[..., tuple[Page, str]], tmp_path: Path) -> None:
    page, _ = new_marketer(40)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    pick_kind(page, "3D")
    upload(page, "bottle.png", "image/png", picture())
    page.get_by_role("button", name="Generate model").click()
    card = page.get_by_role("button", name="3D by Trellis")
    expect(card.first).to_be_visible(timeout=WHOLE_STORY)
    expect(page.get_by_text("Running now")).to_have_count(0, timeout=WHOLE_STORY)
    go(page, "/jobs")
    card.first.click()
    settle(page)
    model = page.frame_locator("iframe[title^='3D']").locator("model-viewer")
    expect(model).to_be_visible()
    frame = next(frame for frame in page.frames if "/view/model/" in frame.url)
    becomes_true(frame, "document.querySelector('model-viewer').modelIsVisible")
    turned = "document.querySelector('model-viewer').getCameraOrbit().theta"
    frame.evaluate("document.querySelector('model-viewer').removeAttribute('auto-rotate')")
    before = frame.evaluate(turned)
    box = model.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 150, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + 250, box["y"] + 150, steps=5)
    page.mouse.up()
    becomes_true(frame, f"Math.abs({turned} - {before}) > 0.01")
    assert all(url.startswith(("http://127.0.0.1:", "blob:", "data:")) for url in asked)

    page.get_by_test_id("stDialog").get_by_role("button", name="Close").click()
    settle(page)
    page.get_by_text("Select", exact=True).click()
    settle(page)
    page.locator('[class*="st-key-open-jobs-"] button').first.click()
    settle(page)
    with page.expect_download() as started:
        page.get_by_role("link", name="Download ZIP").click()
    path = tmp_path / "model.zip"
    started.value.save_as(path)
    with zipfile.ZipFile(path) as archive:
        [name] = archive.namelist()
        assert archive.read(name)[:4] == b"glTF"
