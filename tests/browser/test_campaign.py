"""A whole campaign of three clips, as people make one: brief, clips, first frames, the rest by itself, export."""

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import FloatRect, Locator, Page, expect

from tests.browser.conftest import Site, come_in, go, settle

NEW = re.compile("New campaign|Start a campaign")  # the team may have one already
WHOLE_STORY = 120_000  # milliseconds: an upper bound against hanging, not a measure
CLIPS = (
    ("The kiln", "A vase glowing in a kiln", "Slow dolly in", "Crackling fire"),
    ("The hands", "Terracotta dunes", "Pan left", "Wind over sand"),
    ("The table", "Three glazed spheres", "Slow orbit", "Room tone"),
)


def fill(page: Page, name: str, text: str) -> None:
    page.get_by_role("textbox", name=name, exact=True).fill(text)
    page.keyboard.press("Tab")
    settle(page)


def press(page: Page, name: str | re.Pattern[str]) -> None:
    page.get_by_role("button", name=name).click()
    settle(page)


def made(page: Page, sentence: str) -> None:
    """Wait until the line under the title says so; the page moves by itself."""
    expect(page.get_by_text(sentence)).to_be_visible(timeout=WHOLE_STORY)


def cell(page: Page, label: str, number: int) -> None:
    """Open a step of a clip by its place, from 0."""
    page.get_by_role("button", name=label, exact=True).nth(number).click()
    settle(page)


def size_when_loaded(page: Page, picture: Locator) -> FloatRect:
    """Until a picture has arrived it is as small as its description."""
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=picture.element_handle())
    box = picture.bounding_box()
    assert box is not None
    return box


def test_from_brief_to_export(
    new_marketer: Callable[..., tuple[Page, str]], new_page: Callable[..., Page], site: Site, tmp_path: Path
) -> None:
    page, email = new_marketer(200)
    go(page, "/campaigns")
    press(page, NEW)
    fill(page, "Name", "Autumn, made by hand")
    fill(page, "Brief", "Three short clips. Warm, tactile.")
    press(page, "Create campaign")
    expect(page.get_by_role("heading", name="Autumn, made by hand")).to_be_visible()
    for title, frame, video, ambience in CLIPS:
        press(page, re.compile("Add (the first|a) clip"))
        fill(page, "Title", title)
        fill(page, "First frame prompt", frame)
        fill(page, "Video prompt", video)
        fill(page, "Ambience prompt", ambience)
        press(page, "Add clip")
        expect(page.get_by_text(title, exact=True)).to_be_visible()

    press(page, "Generate clips")
    expect(page.get_by_text("30 credits · about $0.45 · 170 credits left after")).to_be_visible()
    press(page, "Generate 3 first frames")
    made(page, "3 of 15 steps made")

    press(page, "Generate clips")
    page.get_by_text("Then go on with the next steps by itself").click()
    settle(page)
    expect(page.get_by_text(re.compile("60 credits · about"))).to_be_visible()
    press(page, "Generate 3 clips from video to transcript")
    address = page.url.split("&")[0]
    page.close()  # the chain goes on without anybody
    page = new_page(dark=True)
    come_in(page, site, email, path=address[address.index("/campaigns") :])
    made(page, "15 of 15 steps made")
    expect(page.get_by_role("img", name="First frame of The kiln, version 1")).to_be_visible()
    expect(page.get_by_text("out of date")).to_have_count(0)

    cell(page, "First frame", 0)
    fill(page, "Prompt", "Another vase, moonlight")
    press(page, "Generate first frame again")
    expect(page.get_by_text("v2 · current")).to_be_visible(timeout=WHOLE_STORY)
    page.keyboard.press("Escape")
    settle(page)
    expect(page.get_by_text("v1 · out of date")).to_have_count(4)
    cell(page, "First frame", 0)
    page.get_by_test_id("stDialog").get_by_text("v1", exact=True).click()
    settle(page)
    page.get_by_text("Beside the current one").click()
    settle(page)
    expect(page.get_by_test_id("stDialog").get_by_role("img")).to_have_count(2)
    page.get_by_test_id("stDialog").get_by_role("button", name="Zoom").first.click()
    large = page.locator(".zoomed:popover-open img")
    before = size_when_loaded(page, large)
    large.click()
    closer = size_when_loaded(page, large)
    assert before["height"] > 900, "as large as it fits into 1000"
    assert closer["width"] > 2000, "wider than the 1440 of the window"
    page.get_by_role("button", name="Zoom out").click()
    expect(large).to_have_count(0)
    press(page, "Make current")
    page.keyboard.press("Escape")
    settle(page)
    expect(page.get_by_text("out of date")).to_have_count(0)

    with page.expect_download() as started:
        page.get_by_role("link", name="Export").click()
    path = tmp_path / "campaign.zip"
    started.value.save_as(path)
    assert started.value.suggested_filename == "autumn-made-by-hand.zip"
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        names = archive.namelist()
        manifest = json.loads(archive.read("manifest.json"))
    assert {"01-the-kiln/1-first_frame-v1.png", "03-the-table/2-video-v1.mp4", "manifest.csv"} <= set(names)
    assert [clip["title"] for clip in manifest["clips"]] == [title for title, *_ in CLIPS]
    assert all(len(clip["steps"]) == 5 for clip in manifest["clips"])
    page.get_by_role("button", name="Campaigns", exact=True).click()
    settle(page)
    expect(page.get_by_role("img", name=re.compile("Autumn, made by hand, picture"))).to_have_count(3)


def test_a_private_campaign_is_seen_once_it_is_shared(new_marketer: Callable[..., tuple[Page, str]]) -> None:
    owner, _ = new_marketer(0)
    go(owner, "/campaigns")
    press(owner, NEW)
    fill(owner, "Name", "Quiet one")
    press(owner, "Create campaign")
    address = owner.url[owner.url.index("/campaigns") :]
    other, _ = new_marketer(0)
    go(other, address)
    expect(other.get_by_text("There is no such campaign")).to_be_visible()
    owner.get_by_text("Shared with the team").click()
    settle(owner)
    go(other, address)
    expect(other.get_by_role("heading", name="Quiet one")).to_be_visible()
    expect(other.get_by_role("button", name="Add the first clip")).to_have_count(0)
