"""A backup taken while people work, brought back on another machine: everybody signs in, every file and every credit is
there, and nothing is sent to fal.ai a second time."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from core.settings import ENVIRONMENT_NAMES
from local import lock, migrations, secrets, status, supabase
from local.backup import take
from local.backup.bring import restore
from local.backup.dump import dump
from local.backup.take import backup
from local.environment import PORT_SETTINGS, compose, configured
from local.errors import LocalError
from local.parts import database
from local.people import EMAILS
from local.ports import free_port
from local.run import SEEDED
from local.secrets import Secrets
from tests.database.books import Books, completed, connect

PASSWORD = "the same password as before"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40


@dataclass
class Machine:
    """A running stack without the parts that a backup does not know: PostgreSQL and Supabase Lite on a folder."""

    state: Path
    url: str
    keys: Secrets
    http: httpx.Client
    books: Books

    def headers(self, key: str) -> dict[str, str]:
        return {"apikey": key, "Authorization": f"Bearer {key}"}

    def sign_up(self, email: str) -> UUID:
        body = {"email": email, "password": PASSWORD, "data": {"full_name": "Some Body"}}
        headers = self.headers(self.keys.publishable_key)
        answer = self.http.post(f"{self.url}/auth/v1/signup", json=body, headers=headers).raise_for_status()
        return UUID(answer.json()["user"]["id"])

    def sign_in(self, email: str) -> str:
        body = {"email": email, "password": PASSWORD}
        headers = self.headers(self.keys.publishable_key)
        answer = self.http.post(f"{self.url}/auth/v1/token?grant_type=password", json=body, headers=headers)
        token: str = answer.raise_for_status().json()["access_token"]
        return token

    def upload(self, name: str, data: bytes = PICTURE) -> None:
        headers = self.headers(self.keys.secret_key) | {"Content-Type": "image/png", "x-upsert": "true"}
        self.http.post(f"{self.url}/storage/v1/object/media/{name}", content=data, headers=headers).raise_for_status()

    def remove(self, name: str) -> None:
        headers = self.headers(self.keys.secret_key)
        address, body = f"{self.url}/storage/v1/object/media", {"prefixes": [name]}
        self.http.request("DELETE", address, json=body, headers=headers).raise_for_status()

    def download(self, name: str) -> bytes:
        headers = self.headers(self.keys.secret_key)
        return self.http.get(f"{self.url}/storage/v1/object/media/{name}", headers=headers).raise_for_status().content


@contextmanager
def running(state: Path) -> Iterator[Machine]:
    """A stack on this folder as `python -m local run` would hold it."""
    with lock.exclusive(state), ThreadPoolExecutor(4) as threads, httpx.Client(timeout=30) as http:
        kept = secrets.load(state / secrets.FILE_NAME, EMAILS)
        stack = compose(configured(), kept)
        server = database(stack, kept, state)
        keys = supabase.Keys(kept.publishable_key, kept.secret_key, kept.jwt_secret)
        lite = supabase.Lite(
            state / "supabase", stack.ports["LOCAL_SUPABASE_PORT"], server.url(), keys, state / "logs" / "supabase.log"
        )
        try:
            server.start()
            supabase.prepare(server.url())
            migrations.apply(server.url())
            lite.start()
            status.note(state, stack, ready=True)
            with connect(server.url()) as owner, connect(server.url(), "service_role") as service:
                yield Machine(state, lite.url, kept, http, Books(server.url(), owner, service, threads))
        finally:
            lite.stop()
            server.stop()
            (state / status.RUNNING_FILE).unlink(missing_ok=True)


@pytest.fixture
def folders(stack_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place for machines, with ports of their own and nothing of this machine's settings."""
    for name in ENVIRONMENT_NAMES:
        monkeypatch.setenv(name, "")
    for name in PORT_SETTINGS:
        monkeypatch.setenv(name, str(free_port()))
    place = stack_directory / f"backup {uuid4().hex[:6]}"
    place.mkdir()
    yield place
    shutil.rmtree(place)


def totals(books: Books) -> dict[str, Any]:
    """What must be the same before and after: every table of ours and of sign-in, row by row."""
    known = books.contents()
    known["auth.users"] = books.all("select id, email, encrypted_password from auth.users order by id")
    known["storage.objects"] = books.all("select bucket_id, name, metadata from storage.objects order by name")
    return known


def test_a_backup_comes_back_whole_on_another_machine(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, file = folders / "first", folders / "second", folders / "atelier.backup"
    with running(first) as machine:
        books = machine.books
        person = machine.sign_up("ada@example.test")
        books.call("approve_person", p_actor=books.admin, p_user=person, p_welcome_credits=50)
        done, open_, unsent = books.submitted(person), books.submitted(person), books.create(person)
        books.settle(done, completed())
        machine.upload(f"{person}/{done}/0.png")
        machine.upload(f"{person}/{done}/1.png")
        before = totals(books)
        slow = supabase.files_of(first / "supabase") / "media" / str(person) / str(done) / "0.png"
        slow.write_bytes(PICTURE[:100])  # Storage is still writing it

        def meanwhile(*arguments: Any) -> None:
            """Right after the moment of the database one of its files is whole, one goes and another comes."""
            slow.write_bytes(PICTURE)
            machine.remove(f"{person}/{done}/1.png")
            machine.upload(f"{person}/{done}/2.png")
            dump(*arguments)

        monkeypatch.setattr(take, "dump", meanwhile)
        with working(machine, person):
            manifest = backup(first, file)
        assert (manifest.audit, file.stat().st_mode & 0o777) == ([], 0o600)
        assert not list(folders.glob("*.part"))
        with pytest.raises(LocalError, match="there already"):
            backup(first, file)
        with pytest.raises(LocalError, match="already runs"):
            restore(first, file, replace_data=True)
    shutil.rmtree(first)

    told, done_after = restore(second, file)
    assert (told.tables, told.created_at) == (manifest.tables, manifest.created_at)
    assert done_after == {"unclear": 1, "runs_stopped": 0, "to_look_at": 1}
    assert (second / SEEDED).exists()  # the demo data is not made again
    with running(second) as machine:
        books = machine.books
        assert books.audit() == []
        token = machine.sign_in("ada@example.test")
        headers = {"apikey": machine.keys.publishable_key, "Authorization": f"Bearer {token}"}
        rows = machine.http.get(f"{machine.url}/rest/v1/generation_jobs?select=id", headers=headers).json()
        assert {row["id"] for row in rows} >= {str(done), str(open_), str(unsent)}
        for number in (0, 1):
            assert machine.download(f"{person}/{done}/{number}.png") == PICTURE
        now = totals(books)
        for table in ("credit_packs", "generation_types", "profiles", "job_outputs", "auth.users"):
            assert [row for row in before[table] if row not in now[table]] == [], table
        ended = [row for row in before["generation_jobs"] if row["status"] == "completed"]
        assert [row for row in ended if row not in now["generation_jobs"]] == []
        # Whether it was sent after the backup nobody here knows: it is looked for, and never sent again.
        assert books.begin(unsent) is None
        assert books.job(unsent)["status"] == "pending"
        assert books.history(unsent)[-1] == "unclear"
        assert books.job(open_)["next_check_at"] <= books.value("select now()")


@contextmanager
def working(machine: Machine, person: UUID) -> Iterator[None]:
    """People go on meanwhile: files come and go, credits are granted, a job runs from beginning to end."""
    stop, errors = threading.Event(), []

    def work() -> None:
        with connect(machine.books.url) as owner, connect(machine.books.url, "service_role") as service:
            mine = Books(machine.books.url, owner, service, machine.books.threads)
            number = 0
            while not stop.is_set():
                number += 1
                machine.upload(f"{person}/busy/{number}.png", PICTURE * 20)
                mine.settle(mine.submitted(person), completed())
                if number > 3:
                    machine.remove(f"{person}/busy/{number - 3}.png")

    def tried(what: Callable[[], None]) -> None:
        try:
            what()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=tried, args=(work,))
    with connect(machine.books.url) as rows:
        rows.execute("select private.post_entry(%s, 'grant', 100000, 'busy', p_reason => 'For a test')", (person,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert errors == []


def test_what_was_there_is_put_aside_and_can_be_had_again(folders: Path) -> None:
    state, file = folders / "one", folders / "atelier.backup"
    with running(state) as machine:
        machine.sign_up("ada@example.test")
    backup(state, file)  # also while nothing runs
    with running(state) as machine:
        machine.sign_up("ben@example.test")
    with pytest.raises(LocalError, match="--replace"):
        restore(state, file)
    damaged = folders / "damaged.backup"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    damaged.write_bytes(data)
    with pytest.raises(LocalError, match="damaged"):
        restore(state, damaged, replace_data=True)
    restore(state, file, replace_data=True)
    with running(state) as machine:
        assert machine.sign_in("ada@example.test")
        with pytest.raises(httpx.HTTPStatusError):
            machine.sign_in("ben@example.test")
    (aside,) = state.glob("before-restore-*")
    assert sorted(os.listdir(aside)) == ["postgres", "secrets.json", "supabase"]
    assert not (state / "restoring").exists()


def test_there_has_to_be_something_to_back_up(folders: Path) -> None:
    with pytest.raises(LocalError, match="nothing to back up"):
        backup(folders / "nothing", folders / "atelier.backup")
    with pytest.raises(LocalError, match="There is no"):
        restore(folders / "nothing", folders / "missing.backup")
