"""Streamlit has memory searched after every run: what is there for good must not be searched each time."""

import gc
import sys
import types

import pytest

from ui import memory


def test_what_a_run_has_loaded_is_set_aside_once(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        memory.settle()
        before = gc.get_freeze_count()
        assert before > 10_000
        memory.settle()
        assert gc.get_freeze_count() <= before  # nothing was loaded in between
        kept = types.ModuleType("loaded_by_a_page")
        kept.everything = [[number] for number in range(5000)]  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "loaded_by_a_page", kept)
        memory.settle()
        assert gc.get_freeze_count() >= before + 5000
    finally:
        gc.unfreeze()
