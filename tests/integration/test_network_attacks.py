"""Addresses and paths that lead elsewhere: into our network, or to somebody else's file."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import httpx
import pytest

from core import inputs, jobs, media, zips
from core.database import get_database
from core.errors import InvalidInput, NotFound
from core.models import Job, Person
from core.settling import settle
from local.ports import HOST
from tests.conftest import SupabaseStack
from tests.integration.atelier import SCHNELL, Atelier
from tests.integration.hands import Hands


class Canary(ThreadingHTTPServer):
    """Something inside our own network: whoever asks it for anything has been tricked."""

    def __init__(self) -> None:
        super().__init__((HOST, 0), _CanaryHandler)
        self.asked: list[str] = []
        self.url = f"http://{HOST}:{self.server_address[1]}/latest/meta-data.png"


class _CanaryHandler(BaseHTTPRequestHandler):
    server: Canary

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"secret of the network")

    do_POST = do_PUT = do_HEAD = do_GET

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def canary() -> Iterator[Canary]:
    with Canary() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _result_at(atelier: Atelier, person: Person, url: str) -> Job:
    """A job whose result fal.ai says is at this address."""
    atelier.restart(PUBLIC_URL="")
    job = jobs.submit(person, SCHNELL, {"prompt": "A result [sim:queue=600]"})
    outputs = [{"url": url, "media_type": "image/png"}]
    settle(str(job.id), {"outcome": "completed", "billable": True, "outputs": outputs}, "poll")
    return jobs.get(person, job.id)


def test_a_result_does_not_make_us_ask_our_own_network(atelier: Atelier, hands: Hands, canary: Canary) -> None:
    person = atelier.new_marketer()
    job = _result_at(atelier, person, canary.url)
    (output,) = job.outputs
    hands.copy()
    roads: list[Callable[[], object]] = [
        lambda: media.download(output),
        lambda: list(zips.of_jobs(person, [job.id])),
        lambda: inputs.frame(person, output.id, "first"),
        lambda: inputs.sound(person, output.id),
    ]
    for road in roads:
        with pytest.raises((NotFound, InvalidInput)):
            road()
    assert canary.asked == []


def test_a_job_does_not_send_fal_into_anybodys_network(atelier: Atelier, canary: Canary) -> None:
    person = atelier.new_marketer()
    before = atelier.one("select count(*) as n from generation_jobs")
    for address in (canary.url, "http://169.254.169.254/latest/meta-data/", "http://localhost:8600/metrics"):
        for kind, given in (
            ("render_highres", {"image_url": address}),
            ("first_frame", {"prompt": "A frame", "image_urls": [address]}),
            ("transcribe_whisper", {"audio_url": address}),
        ):
            with pytest.raises(InvalidInput, match="a file that you upload"):
                jobs.submit(person, kind, given)
    assert atelier.one("select count(*) as n from generation_jobs") == before
    assert atelier.balance(person) == (120, 0)
    assert canary.asked == []


def test_no_way_of_writing_a_path_leads_to_somebody_elses_file(
    atelier: Atelier, supabase_stack: SupabaseStack, http: httpx.Client
) -> None:
    """Storage with a token of one's own: one's own file is there, the other's is not, however the path is written."""
    owner, thief = (atelier.new_marketer() for _ in range(2))
    content = {person.user_id: uuid4().hex.encode() for person in (owner, thief)}
    for user_id, data in content.items():
        get_database().storage().upload(f"{user_id}/job/0.png", data, {"content-type": "image/png"})
    key = {"apikey": supabase_stack.publishable_key, "Authorization": f"Bearer {thief.access_token}"}
    mine, theirs = f"{thief.user_id}/job/0.png", f"{owner.user_id}/job/0.png"
    url = f"{supabase_stack.url}/storage/v1/object"
    assert http.get(f"{url}/media/{mine}", headers=key).content == content[thief.user_id]
    tricks = [
        theirs,
        f"{thief.user_id}/../{theirs}",
        f"{thief.user_id}/..%2f{theirs}",
        f"{thief.user_id}/%2e%2e/{theirs}",
        f"{thief.user_id}%2f..%2f{theirs}",
        f"{thief.user_id}/..%252f{theirs}",
        f"{thief.user_id}/..%5c{theirs}",
        f"{thief.user_id}/%00/../../{theirs}",
        f"/{theirs}",
        f"./{theirs}",
        f"{theirs}%00{mine}",
        f"{thief.user_id}/../../media/{theirs}",
        f"..%2fmedia%2f{theirs}",
    ]
    stored = atelier.all("select id, name, version, updated_at from storage.objects order by id")
    for trick in tricks:
        for road in ("authenticated/media", "media", "public/media"):
            assert content[owner.user_id] not in http.get(f"{url}/{road}/{trick}", headers=key).content, trick
        signed = http.post(f"{url}/sign/media/{trick}", headers=key, json={"expiresIn": 60})
        assert signed.status_code >= 400, trick
        for method in ("POST", "PUT", "DELETE"):
            answer = http.request(method, f"{url}/media/{trick}", headers=key | {"x-upsert": "true"}, content=b"mine")
            assert answer.status_code >= 400, (method, trick)
        for what in ("copy", "move"):
            body = {"bucketId": "media", "sourceKey": httpx.URL(f"http://x/{trick}").path[1:], "destinationKey": mine}
            assert http.post(f"{url}/{what}", headers=key, json=body).status_code >= 400, (what, trick)
    assert atelier.all("select id, name, version, updated_at from storage.objects order by id") == stored
    assert get_database().storage().download(theirs) == content[owner.user_id]
