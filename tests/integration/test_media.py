"""Our own copy of what fal.ai made: copied by the worker, refused with a reason, deleted when a person wants it."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from storage3._sync.file_api import SyncBucketProxy

from core import jobs, media, mirror
from core.database import get_database
from core.errors import DatabaseUnavailable, NotFound, Refused
from core.models import Job, Person
from core.settling import settle
from local.ports import HOST
from tests.integration.atelier import SCHNELL, Atelier
from tests.integration.hands import Hands

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001"
    "5bd4b20b0000000049454e44ae426082"
)


class MediaHost(ThreadingHTTPServer):
    """A host of media of our own: answers each path as the test says, (status, headers, body)."""

    def __init__(self) -> None:
        super().__init__((HOST, 0), _Handler)
        self.answers: dict[str, Callable[[], tuple[int, dict[str, str], bytes]]] = {}
        self.netloc = f"{HOST}:{self.server_address[1]}"

    def serves(self, path: str, body: bytes = b"", status: int = 200, **headers: str) -> str:
        """The address of a new file."""
        self.answers[path] = lambda: (status, headers, body)
        return f"http://{self.netloc}{path}"


class _Handler(BaseHTTPRequestHandler):
    server: MediaHost

    def do_GET(self) -> None:
        status, headers, body = self.server.answers[self.path]()
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Not on the screen of a test run."""


@pytest.fixture
def host(atelier: Atelier) -> Iterator[MediaHost]:
    """A media host that the settings allow; webhooks are off, as nothing listens for them here."""
    with MediaHost() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        atelier.restart(PUBLIC_URL="", FAL_MEDIA_HOSTS=f"{server.netloc},{atelier.environment['FAL_MEDIA_HOSTS']}")
        yield server
        server.shutdown()
        thread.join()


def made(person: Person, *urls: str) -> Job:
    """A job that has ended well, with these files at fal.ai."""
    job = jobs.submit(person, SCHNELL, {"prompt": "Files [sim:queue=600]"})
    outputs = [{"url": url, "media_type": "image/png"} for url in urls]
    settle(str(job.id), {"outcome": "completed", "billable": True, "outputs": outputs}, "poll")
    return jobs.get(person, job.id)


def copied(person: Person, hands: Hands, job: Job) -> Job:
    hands.copy()
    return jobs.get(person, job.id)


def mirror_row(atelier: Atelier, job: Job) -> dict[str, Any]:
    return atelier.one("select * from job_outputs where job_id = %s", job.id)


def in_storage(atelier: Atelier, job: Job) -> list[str]:
    """The names of the files in a job's folder."""
    folder = f"{job.user_id}/{job.id}/"
    named = "select name from storage.objects where bucket_id = 'media' and starts_with(name, %s) order by name"
    return [row["name"].removeprefix(folder) for row in atelier.all(named, folder)]


class TestCopy:
    def test_is_in_the_persons_folder_with_what_the_file_says_about_itself(
        self, atelier: Atelier, hands: Hands, host: MediaHost
    ) -> None:
        person = atelier.marketer()
        job = copied(person, hands, made(person, host.serves("/a.png", PNG)))
        (output,) = job.outputs
        assert output.storage_path == f"{person.user_id}/{job.id}/0.png"
        assert (output.media_type, output.size_bytes, output.width, output.height) == ("image/png", len(PNG), 1, 1)
        assert atelier.http.get(output.url or "").content == PNG
        assert media.download(output) == (PNG, f"atelier-{str(output.id)[:8]}.png")

    def test_the_bytes_say_what_it_is_not_the_address(self, atelier: Atelier, hands: Hands, host: MediaHost) -> None:
        person = atelier.marketer()
        url = host.serves("/picture.png", b"RIFF\0\0\0\0WAVE" + bytes(64))
        refused = copied(person, hands, made(person, url))
        assert refused.outputs[0].storage_path is None
        assert "cannot be read" in mirror_row(atelier, refused)["mirror_error"]

    @pytest.mark.parametrize(
        ("status", "headers", "body", "reason"),
        [
            (200, {}, b"<html>not a picture</html>", "Not a picture, video, sound or 3D model"),
            (200, {}, PNG[:20], "cannot be read"),
            (200, {}, b"", "The file is empty"),
            (302, {"location": "http://169.254.169.254/latest/meta-data"}, b"", "points elsewhere"),
            (200, {}, PNG + bytes(5000), "larger than"),
        ],
    )
    def test_what_is_refused_says_why_and_stays_to_be_seen_at_fal(
        self,
        atelier: Atelier,
        hands: Hands,
        host: MediaHost,
        monkeypatch: pytest.MonkeyPatch,
        status: int,
        headers: dict[str, str],
        body: bytes,
        reason: str,
    ) -> None:
        monkeypatch.setattr(mirror, "LARGEST_FILE", 4000)
        person = atelier.marketer()
        url = host.serves("/file.png", body, status, **headers)
        job = copied(person, hands, made(person, url))
        row = mirror_row(atelier, job)
        assert reason in row["mirror_error"]
        assert (row["mirror_due_at"], row["storage_path"]) == (None, None)
        assert job.outputs[0].url == url
        assert in_storage(atelier, job) == []

    @pytest.mark.parametrize(
        "url",
        [
            "http://example.test/a.png",
            "https://example.test/a.png",
            "http://127.0.0.1:1/a.png",
            "https://v3.fal.media.example.test/a.png",
        ],
    )
    def test_other_hosts_are_never_asked(self, atelier: Atelier, hands: Hands, host: MediaHost, url: str) -> None:
        del host
        person = atelier.marketer()
        job = copied(person, hands, made(person, url))
        assert "Not an address of fal.ai's media hosts" in mirror_row(atelier, job)["mirror_error"]
        assert job.outputs[0].url == url

    @pytest.mark.parametrize(
        ("status", "headers", "body"), [(503, {}, b""), (200, {"content-length": "500"}, PNG)], ids=["away", "cut off"]
    )
    def test_a_file_that_does_not_come_is_asked_for_again_later(
        self, atelier: Atelier, hands: Hands, host: MediaHost, status: int, headers: dict[str, str], body: bytes
    ) -> None:
        person = atelier.marketer()
        url = host.serves("/late.png", body, status, **headers)
        job = copied(person, hands, made(person, url))
        row = mirror_row(atelier, job)
        assert (row["mirror_tries"], row["lease_until"]) == (1, None)
        assert row["mirror_due_at"] is not None
        assert job.outputs[0].url == url
        host.serves("/late.png", PNG)
        atelier.rows.execute("update job_outputs set mirror_due_at = now() where job_id = %s", (job.id,))
        assert copied(person, hands, job).outputs[0].storage_path is not None

    def test_a_copy_whose_record_was_lost_is_made_again_over_itself(
        self, atelier: Atelier, hands: Hands, host: MediaHost
    ) -> None:
        person = atelier.marketer()
        job = made(person, host.serves("/twice.png", PNG))
        get_database().storage().upload(f"{person.user_id}/{job.id}/0.png", b"half a f", {"content-type": "image/png"})
        (output,) = copied(person, hands, job).outputs
        assert media.download(output)[0] == PNG


class TestDelete:
    def test_takes_the_files_away_and_leaves_the_books(self, atelier: Atelier, hands: Hands, host: MediaHost) -> None:
        person = atelier.marketer()
        job = copied(person, hands, made(person, host.serves("/a.png", PNG), host.serves("/b.png", PNG)))
        assert in_storage(atelier, job) == ["0.png", "1.png"]
        moves, row = atelier.moves(job.id), atelier.row(job.id)
        signed = job.outputs[0].url or ""

        jobs.delete_media(person, job.id)
        assert [output.url for output in jobs.get(person, job.id).outputs] == [None, None]
        hands.copy()
        assert in_storage(atelier, job) == []
        assert atelier.http.get(signed).status_code in (400, 404)
        now = atelier.row(job.id)
        assert (atelier.moves(job.id), now["spent_usd"], now["status"]) == (moves, row["spent_usd"], "completed")
        assert atelier.history(job.id)[-1] == "media_deleted"
        jobs.delete_media(person, job.id)  # again is harmless
        assert atelier.history(job.id).count("media_deleted") == 1

    def test_wins_over_a_copy_that_is_under_way(self, atelier: Atelier, hands: Hands, host: MediaHost) -> None:
        person = atelier.marketer()
        job = made(person, url := host.serves("/slow.png"))

        def deleted_meanwhile() -> tuple[int, dict[str, str], bytes]:
            jobs.delete_media(person, job.id)
            return 200, {}, PNG

        host.answers[url.removeprefix(f"http://{host.netloc}")] = deleted_meanwhile
        hands.copy()
        hands.copy()
        assert in_storage(atelier, job) == []
        assert mirror_row(atelier, job)["storage_path"] is None
        assert mirror_row(atelier, job)["mirror_due_at"] is None

    def test_finds_a_copy_that_was_never_written_down(self, atelier: Atelier, hands: Hands, host: MediaHost) -> None:
        person = atelier.marketer()
        job = made(person, host.serves("/unrecorded.png", PNG))
        get_database().storage().upload(f"{person.user_id}/{job.id}/0.png", PNG, {"content-type": "image/png"})
        jobs.delete_media(person, job.id)
        hands.copy()
        assert in_storage(atelier, job) == []

    def test_is_not_for_what_runs_or_is_somebody_elses(self, atelier: Atelier, host: MediaHost) -> None:
        del host
        person, stranger = atelier.marketer(), atelier.new_marketer()
        job = jobs.submit(person, SCHNELL, {"prompt": "Still running [sim:queue=600]"})
        with pytest.raises(Refused, match="still running"):
            jobs.delete_media(person, job.id)
        with pytest.raises(NotFound):
            jobs.delete_media(stranger, job.id)
        settle(str(job.id), {"outcome": "cancelled"}, "admin")
        with pytest.raises(NotFound):
            jobs.delete_media(stranger, job.id)


def test_a_signed_address_is_for_one_file_only(atelier: Atelier, hands: Hands, host: MediaHost) -> None:
    person = atelier.marketer()
    mine = copied(person, hands, made(person, host.serves("/a.png", PNG), host.serves("/b.png", PNG)))
    first, second = (output.url or "" for output in mine.outputs)
    assert atelier.http.get(first.replace("/0.png", "/1.png")).status_code in (400, 401, 403)
    assert atelier.http.get(second.partition("?")[0]).status_code in (400, 401, 403, 404)


def test_what_cannot_be_signed_is_shown_where_fal_made_it(
    atelier: Atelier, hands: Hands, host: MediaHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = atelier.marketer()
    job = copied(person, hands, made(person, host.serves("/a.png", PNG), host.serves("/b.png", PNG)))
    get_database().storage().remove([job.outputs[0].storage_path])
    media._signed.clear()
    gone, there = jobs.get(person, job.id).outputs
    assert gone.url == gone.source_url
    assert "/storage/v1/object/sign/" in (there.url or "")
    media._signed.clear()
    monkeypatch.setattr(SyncBucketProxy, "create_signed_urls", _away)
    assert [output.url for output in jobs.get(person, job.id).outputs] == [gone.source_url, there.source_url]


def _away(*_: object) -> None:
    raise httpx.ConnectError("Storage is away.")


def test_a_storage_that_is_away_is_said_in_words(atelier: Atelier, hands: Hands, host: MediaHost) -> None:
    person = atelier.marketer()
    job = copied(person, hands, made(person, host.serves("/a.png", PNG)))
    get_database().storage().remove([job.outputs[0].storage_path])
    with pytest.raises(DatabaseUnavailable, match="It is not lost"):
        media.download(job.outputs[0])
