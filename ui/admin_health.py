"""How the parts are doing, for admins: workers, fal.ai, Stripe, database, storage, what runs from time to time."""

from datetime import datetime
from typing import NamedTuple

import pandas as pd
import streamlit as st

from core import chores
from core.admin import system
from core.admin.system import Health, Posting, Provider
from core.chores import ChoreState
from core.models import Person
from core.settings import get_settings
from ui import session, words

_KILO = 1024


class Line(NamedTuple):
    """One part in words; nothing is escaped."""

    part: str
    is_well: bool
    state: str
    last_error: str


def draw(person: Person) -> None:
    st.space("small")
    st.subheader("Health", anchor=False)
    found = system.health(person)
    lines = [*_workers(found), *(_provider(one) for one in found.providers), _database(found), _storage(found)]
    lines.append(posting(found.posting, has_address=bool(get_settings().alert_webhook_url)))
    lines += [_chore(one) for one in chores.states(person)]
    lines.sort(key=lambda line: line.is_well)  # what is wrong comes first
    frame = pd.DataFrame(
        {
            "Part": [words.escape(line.part) for line in lines],
            "State": [f":green[●] {words.escape(line.state)}" if line.is_well else _bad(line) for line in lines],
            "Last error": [words.escape(line.last_error) for line in lines],
        }
    )
    st.table(frame, border="horizontal", hide_index=True, alt="The parts of the studio and how they are doing")
    st.markdown(f":small[:gray[{words.count(found.sessions, 'browser')} signed in.]]")


def _bad(line: Line) -> str:
    return f":red[●] {words.escape(line.state)}"


def _workers(found: Health) -> list[Line]:
    now, tz = session.now(), session.tz()
    if not found.workers:
        return [Line("Worker", False, "Never seen. Jobs are not looked at.", "")]
    alive = [worker for worker in found.workers if worker.is_alive]
    if not alive:
        return [Line("Worker", False, f"Last seen {words.exact(found.workers[0].beat_at, now, tz)}", "")]
    since = words.ago_within(min(worker.started_at for worker in alive), now, tz)
    heard = words.duration(now - max(worker.beat_at for worker in alive))
    state = f"{words.number(len(alive))} at work, heard of {heard} ago, started {since}"
    return [Line("Workers" if len(alive) > 1 else "Worker", True, state, "")]


def _provider(one: Provider) -> Line:
    now, tz = session.now(), session.tz()
    error = _dated(one.last_error, one.last_error_at)
    name = words.PROVIDERS.get(one.name, one.name)
    if one.locked_at is not None:
        return Line(name, False, f"Locked since {words.exact(one.locked_at, now, tz)}: {one.locked_reason}", error)
    if one.unwell_since is not None:
        return Line(name, False, f"In trouble since {words.exact(one.unwell_since, now, tz)}", error)
    if one.last_ok_at is None:
        return Line(name, True, "No trouble known", error)
    return Line(name, True, f"Answered {words.ago_within(one.last_ok_at, now, tz)}", error)


def _database(found: Health) -> Line:
    known = found.database
    took = round(known.seconds * 1000)
    state = f"PostgreSQL {known.version}, {size(known.bytes)}, answered in {f'{took} ms' if took else 'under 1 ms'}"
    return Line("Database", True, state, _dated(known.last_error, known.last_error_at))


def _dated(error: str | None, at: datetime | None) -> str:
    if error is None:
        return ""
    return f"{words.exact(at, session.now(), session.tz())}: {error}" if at else error


def posting(found: Posting, *, has_address: bool) -> Line:
    """Whether alerts reach their address."""
    if not has_address:
        return Line("Alert address", True, "Shown here only: ALERT_WEBHOOK_URL is not set", "")
    sent = "none posted this week"
    if found.last_sent_at:
        sent = f"last posted {words.ago_within(found.last_sent_at, session.now(), session.tz())}"
    if found.failed:
        return Line(
            "Alerts", False, f"{words.number(found.failed)} could not be posted, {sent}", found.last_error or ""
        )
    if found.last_error:
        return Line(
            "Alert address", False, f"{words.number(found.waiting)} wait to be posted again, {sent}", found.last_error
        )
    return Line("Alert address", True, sent.capitalize(), "")


def _storage(found: Health) -> Line:
    storage = found.storage
    state = f"{words.count(storage.files, 'file')}, {size(storage.bytes)}"
    if storage.waiting:
        state += f", {words.number(storage.waiting)} on their way"
    if storage.given_up:
        state += f", {words.number(storage.given_up)} could not be copied"
    return Line("Storage", not storage.given_up, state, storage.last_error or "")


def _chore(one: ChoreState) -> Line:
    now, tz = session.now(), session.tz()
    done = f"Done {words.ago_within(one.last_ok_at, now, tz)}" if one.last_ok_at else "Not done yet"
    if one.failures:
        return Line(one.label, False, f"{done}, failed {words.count(one.failures, 'time')} since", one.last_error or "")
    return Line(one.label, True, f"{done}, every {words.duration(one.every)}", "")


def size(number: int) -> str:
    """340 KB, 9.5 MB, 1.2 GB; 1 KB is 1024 bytes."""
    amount = float(number)
    for unit in ("bytes", "KB", "MB", "GB"):
        if amount < _KILO:
            return f"{amount:.0f} {unit}" if amount >= 10 or unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= _KILO
    return f"{amount:.1f} TB"
