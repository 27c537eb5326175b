"""The pages in frames and the downloads: who may see them, what they load, and that nothing in them is markup."""

import asyncio
import io
import zipfile
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware

from core import inputs, jobs, media, sessions, zips
from core.campaigns import Export
from core.errors import InvalidInput, NotFound
from core.models import Job, Person
from core.settings import load
from tests.unit.ui import doubles
from ui import archives, embedded, model_viewer, transcript, web

MODEL = doubles.output(media_type="model/gltf-binary", url="https://v3.fal.media/1.glb?token=a&b=1")
TOLD = doubles.job(
    generation_type="transcribe_whisper",
    input_params={"audio_url": "https://v3.fal.media/in.wav"},
    result_data={"text": "It <b>arrives</b>.", "chunks": [{"timestamp": [0, 1.5], "text": "It <b>arrives</b>."}]},
    outputs=(),
)


class World:
    """Who is signed in, and what there is."""

    def __init__(self) -> None:
        self.person: Person | None = doubles.person()
        self.job = TOLD
        self.row: dict[str, Any] = {"id": str(MODEL.id), "media_type": MODEL.media_type}
        self.output = MODEL

    def output_row(self, _person: Person, output_id: UUID) -> dict[str, Any]:
        if output_id != MODEL.id:
            raise NotFound("This result is not there any more.")
        return self.row

    def get(self, _person: Person, job_id: UUID) -> Job:
        if job_id != self.job.id:
            raise NotFound("There is no such job.")
        return self.job


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(sessions, "current", lambda _cookie: world.person)
    monkeypatch.setattr(inputs, "output_row", world.output_row)
    monkeypatch.setattr(media, "viewable", lambda rows: {row["id"]: world.output for row in rows})
    monkeypatch.setattr(jobs, "get", world.get)
    return world


def get(path: str) -> httpx.Response:
    async def send() -> httpx.Response:
        routes = [*archives.ROUTES, model_viewer.ROUTE, transcript.ROUTE]
        app = Starlette(routes=routes, middleware=[Middleware(web.SecurityHeaders)])
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.get(path)

    return asyncio.run(send())


UNKNOWN = "7c1f4f0e-3b62-4c1d-9a57-2f0d6f1f8a11"
PATHS = (
    f"/view/model/{MODEL.id}",
    f"/view/transcript/{TOLD.id}",
    "/download/jobs?id=x",
    f"/download/campaign/{UNKNOWN}",
)


@pytest.mark.parametrize("path", PATHS, ids=("model", "transcript", "jobs", "campaign"))
@pytest.mark.parametrize("person", [None, doubles.person(is_approved=False), doubles.person(is_active=False)])
def test_nobody_gets_anything_without_being_in(world: World, path: str, person: Person | None) -> None:
    world.person = person
    answer = get(path)
    assert answer.status_code == 403
    assert "Sign in to see this." in answer.text


def test_a_model_may_load_itself_and_nothing_else(world: World) -> None:
    assert world.person
    answer = get(f"/view/model/{MODEL.id}")
    assert answer.status_code == 200
    assert 'src="https://v3.fal.media/1.glb?token=a&amp;b=1"' in answer.text
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["connect-src"] == "https://v3.fal.media blob: data:"
    assert policy["frame-ancestors"] == "'self'"
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert "http" not in answer.text.replace("https://v3.fal.media", "")


@pytest.mark.parametrize("path", [f"/view/model/{UNKNOWN}", f"/view/transcript/{UNKNOWN}"])
def test_what_is_not_theirs_is_not_there(world: World, path: str) -> None:
    assert world.person
    assert get(path).status_code == 404


def test_only_models_are_shown_as_models(world: World) -> None:
    world.row = {**world.row, "media_type": "image/svg+xml"}
    assert get(f"/view/model/{MODEL.id}").status_code == 404
    world.row, world.output = {**world.row, "media_type": MODEL.media_type}, replace(MODEL, url="javascript:1")
    assert get(f"/view/model/{MODEL.id}").status_code == 404


@pytest.mark.parametrize(
    "address",
    [
        "https://files.example/1.glb",
        "https://v3.fal.media.evil.test/1.glb",
        "https://v3.fal.media;sandbox/1.glb",
        "https://x.test;script-src-elem/1.glb",
        "https://v3.fal.media@evil.test/1.glb",
        "https://x *; script-src-elem */1.glb",
        "http://[::1/1.glb",
    ],
)
def test_nobody_else_is_asked_for_a_file_and_nobody_writes_the_policy(world: World, address: str) -> None:
    """A colleague chooses the recording of a transcript, fal.ai says where a model is."""
    honest = get(f"/view/model/{MODEL.id}").headers["content-security-policy"]
    world.output = replace(MODEL, url=address)
    world.job = replace(TOLD, input_params={"audio_url": address})
    for path in (f"/view/model/{MODEL.id}", f"/view/transcript/{TOLD.id}"):
        answer = get(path)
        assert answer.status_code == 404
        assert address not in answer.text
        policy = answer.headers["content-security-policy"]
        assert "script-src" not in policy
        assert {rule.split()[0] for rule in policy.split(";")} < {rule.split()[0] for rule in honest.split(";")}


def test_our_own_copy_is_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load({"SUPABASE_URL": "https://project.supabase.test/"})
    monkeypatch.setattr(embedded, "get_settings", lambda: settings)
    world.output = replace(MODEL, url="https://project.supabase.test/storage/v1/object/sign/media/1.glb?token=x")
    policy = get(f"/view/model/{MODEL.id}").headers["content-security-policy"]
    assert "connect-src https://project.supabase.test blob: data:" in policy
    world.output = replace(MODEL, url="https://project.supabase.test.evil.test/storage/v1/object/1.glb")
    assert get(f"/view/model/{MODEL.id}").status_code == 404


def test_a_transcript_has_its_words_with_their_times(world: World) -> None:
    answer = get(f"/view/transcript/{TOLD.id}")
    assert 'data-from="0" data-to="1500">It &lt;b&gt;arrives&lt;/b&gt;.</button>' in answer.text
    assert '<audio controls preload="metadata" src="https://v3.fal.media/in.wav">' in answer.text
    world.job = replace(TOLD, input_params={"audio_url": "file:///etc/passwd"})
    assert get(f"/view/transcript/{TOLD.id}").status_code == 404


def test_jobs_are_sent_as_one_file_while_it_is_made(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert world.person
    asked: list[list[UUID]] = []

    def of_jobs(_person: Person, job_ids: list[UUID]) -> Any:
        asked.append(job_ids)
        if not job_ids:
            raise InvalidInput("There is nothing to download in these jobs.", field="jobs")
        return zips.stream([zips.Entry("a.txt", lambda: [b"words"], doubles.NOON, stored=False)])

    monkeypatch.setattr(zips, "of_jobs", of_jobs)
    first, second = uuid4(), uuid4()
    answer = get(archives.of_jobs([first, second]))
    assert asked == [[first, second]]
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].startswith('attachment; filename="atelier-')
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.read("a.txt") == b"words"
    assert "nothing to download" in get("/download/jobs").text
    assert get("/download/jobs?id=not-an-id").status_code == 404


def test_a_campaign_is_sent_with_its_name(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert world.person
    monkeypatch.setattr(archives, "export_campaign", lambda _p, _id: Export("autumn.zip", iter([b"PK", b"..."])))
    answer = get(archives.of_campaign(uuid4()))
    assert answer.content == b"PK..."
    assert answer.headers["content-disposition"] == 'attachment; filename="autumn.zip"'
