"""What can be done to files through the Storage API, each as a request, and whether it worked."""

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from tests.integration.world import BUCKET, PNG, World

Answer = httpx.Response
OBJECTS = "/storage/v1/object"
BUCKETS = "/storage/v1/bucket"
SPARE = "spare"  # an empty bucket, to be deleted


@dataclass
class Store:
    world: World
    before: object = field(init=False)

    def __post_init__(self) -> None:
        self._undo()

    def own(self, persona: str) -> str:
        """The file of this person; of the admin for who is nobody in particular."""
        return self.world.file_of(persona if persona in self.world.people else "admin")

    def foreign(self, persona: str) -> str:
        """The owner's file; the stranger's for the owner."""
        return self.world.file_of("stranger" if persona == "owner" else "owner")

    def did(self, persona: str, deed: "Deed") -> bool:
        """Try it and say whether it worked; whatever it did is undone."""
        answer = deed.ask(self, persona)
        if deed.shows is not None:
            return answer.status_code == 200 and deed.shows(self, persona, answer)
        if self._contents() == self.before:
            return False
        self._undo()
        return True

    def _contents(self) -> object:
        everything = self.world.books.all
        return (
            everything("select id, bucket_id, name, version, metadata from storage.objects order by name"),
            everything("select id, name, public from storage.buckets order by id"),
        )

    def _undo(self) -> None:
        owner = self.world.books.owner
        owner.execute("delete from storage.objects")
        owner.execute("delete from storage.buckets where id <> %s", (BUCKET,))
        for bucket in (BUCKET, SPARE):
            owner.execute(
                "insert into storage.buckets (id, name, public) values (%(id)s, %(id)s, false)"
                " on conflict (id) do update set public = false",
                {"id": bucket},
            )
        for person in self.world.people:
            path = f"{OBJECTS}/{BUCKET}/{self.world.file_of(person)}"
            answer = self.world.ask("secret", "POST", path, content=person.encode(), headers=PNG | {"x-upsert": "true"})
            answer.raise_for_status()
        self.before = self._contents()

    # Requests

    def at(self, persona: str, method: str, path: str, **more: object) -> Answer:
        return self.world.ask(persona, method, f"{OBJECTS}/{path}", **more)

    def list(self, persona: str, prefix: str) -> Answer:
        return self.at(persona, "POST", f"list/{BUCKET}", json={"prefix": prefix, "limit": 1000})

    def put(self, persona: str, method: str, path: str) -> Answer:
        return self.at(persona, method, f"{BUCKET}/{path}", content=b"new", headers=PNG)

    def take(self, persona: str, what: str, path: str) -> Answer:
        """Copy or move a file into one's own folder."""
        taken = f"{folder(self.own(persona))}/taken.png"
        return self.at(persona, "POST", what, json={"bucketId": BUCKET, "sourceKey": path, "destinationKey": taken})


@dataclass(frozen=True)
class Deed:
    """A request. Reading worked when it shows what is there, writing when anything is different afterwards."""

    ask: Callable[[Store, str], Answer]
    shows: Callable[[Store, str, Answer], bool] | None = None


Path = Callable[[Store, str], str]


def folder(path: str) -> str:
    return path.rsplit("/", 1)[0]


def _is_the_file(path: Path) -> Callable[[Store, str, Answer], bool]:
    def check(store: Store, persona: str, answer: Answer) -> bool:
        file = path(store, persona)
        return any(
            answer.content == person.encode() and store.world.file_of(person) == file for person in store.world.people
        )

    return check


def _signed_leads_to(path: Path) -> Callable[[Store, str, Answer], bool]:
    def check(store: Store, persona: str, answer: Answer) -> bool:
        file = store.world.http.get(f"{store.world.server.url}/storage/v1{answer.json()['signedURL']}")
        return file.status_code == 200 and _is_the_file(path)(store, persona, file)

    return check


def _answers(_store: Store, _persona: str, _answer: Answer) -> bool:
    return True


def _names_something(_store: Store, _persona: str, answer: Answer) -> bool:
    return bool(answer.json())


def _names_everybody(store: Store, _persona: str, answer: Answer) -> bool:
    return {entry["name"].split("/")[0] for entry in answer.json()} >= {
        str(user) for user in store.world.people.values()
    }


def _with_one_file(whose: str, path: Path) -> dict[str, Deed]:
    deeds = {
        "list": Deed(lambda s, p: s.list(p, folder(path(s, p))), _names_something),
        "download": Deed(lambda s, p: s.at(p, "GET", f"{BUCKET}/{path(s, p)}"), _is_the_file(path)),
        "describe": Deed(lambda s, p: s.at(p, "GET", f"info/{BUCKET}/{path(s, p)}"), _answers),
        "sign": Deed(
            lambda s, p: s.at(p, "POST", f"sign/{BUCKET}/{path(s, p)}", json={"expiresIn": 60}), _signed_leads_to(path)
        ),
        "upload": Deed(lambda s, p: s.put(p, "POST", f"{folder(path(s, p))}/new.png")),
        "overwrite": Deed(lambda s, p: s.put(p, "PUT", path(s, p))),
        "copy": Deed(lambda s, p: s.take(p, "copy", path(s, p))),
        "move": Deed(lambda s, p: s.take(p, "move", path(s, p))),
        "remove": Deed(lambda s, p: s.at(p, "DELETE", BUCKET, json={"prefixes": [path(s, p)]})),
        "prepare upload": Deed(
            lambda s, p: s.at(p, "POST", f"upload/sign/{BUCKET}/{folder(path(s, p))}/new.png", json={}), _answers
        ),
    }
    return {f"{name} {whose}": deed for name, deed in deeds.items()}


DEEDS: dict[str, Deed] = {
    **_with_one_file("own", Store.own),
    **_with_one_file("foreign", Store.foreign),
    "list everybody": Deed(lambda s, p: s.list(p, ""), _names_everybody),
    "fetch foreign without a key": Deed(
        lambda s, p: s.world.http.get(f"{s.world.server.url}{OBJECTS}/public/{BUCKET}/{s.foreign(p)}"),
        _is_the_file(Store.foreign),
    ),
    "list bucket": Deed(lambda s, p: s.world.ask(p, "GET", BUCKETS), _names_something),
    "describe bucket": Deed(lambda s, p: s.world.ask(p, "GET", f"{BUCKETS}/{BUCKET}"), _answers),
    "create bucket": Deed(lambda s, p: s.world.ask(p, "POST", BUCKETS, json={"id": "new", "name": "new"})),
    "publish bucket": Deed(
        lambda s, p: s.world.ask(p, "PUT", f"{BUCKETS}/{BUCKET}", json={"id": BUCKET, "name": BUCKET, "public": True})
    ),
    "empty bucket": Deed(lambda s, p: s.world.ask(p, "POST", f"{BUCKETS}/{BUCKET}/empty", json={})),
    "delete bucket": Deed(lambda s, p: s.world.ask(p, "DELETE", f"{BUCKETS}/{SPARE}")),
}
