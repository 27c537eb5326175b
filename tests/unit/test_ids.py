import time
from uuid import UUID, uuid4

import pytest

from core.ids import derived_id, new_id


def test_an_id_is_of_version_7_and_begins_with_the_time():
    before = time.time_ns() // 1_000_000
    made = new_id()
    after = time.time_ns() // 1_000_000
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert before <= made.int >> 80 <= after


def test_later_ids_come_after_earlier_ones(monkeypatch):
    moments = iter(range(1_796_000_000_000, 1_796_000_000_200))
    monkeypatch.setattr("core.ids.time.time_ns", lambda: next(moments) * 1_000_000)
    made = [new_id() for _ in range(200)]
    assert made == sorted(made)
    assert [str(one) for one in made] == sorted(str(one) for one in made)


def test_no_two_ids_of_one_moment_are_the_same(monkeypatch):
    monkeypatch.setattr("core.ids.time.time_ns", lambda: 1_796_000_000_000_000_000)
    assert len({new_id() for _ in range(5000)}) == 5000


def test_what_follows_from_an_id_is_always_the_same_and_of_its_moment():
    parent = new_id()
    first, second = derived_id(parent, "0"), derived_id(parent, "1")
    assert first == derived_id(UUID(str(parent)), "0")
    assert len({parent, first, second, derived_id(new_id(), "0")}) == 4
    assert first.version == second.version == 7
    assert first.int >> 80 == parent.int >> 80


@pytest.mark.parametrize("parent", [uuid4(), UUID(int=0), UUID(int=(1 << 128) - 1)])
def test_what_follows_from_any_other_id_is_a_proper_id_too(parent):
    made = derived_id(parent, "0")
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
