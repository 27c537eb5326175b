from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.fal.progress import Progress, read_progress


@pytest.mark.parametrize(
    ("lines", "message", "share"),
    [
        (["Loading model", " 42%|████▏     | 12/28 [00:03<00:04,  3.51it/s]"], "Loading model", "0.42"),
        (["\r 10%|#\r 20%|##\r 30%|###"], None, "0.3"),
        (["Sampling: 7%|#  | 2/28"], "Sampling", "0.07"),
        (["Rendering 62.5% done"], "Rendering 62.5% done", "0.625"),
        (["100%|##########| 28/28", "Saving"], "Saving", "1"),
        (["400% faster"], "400% faster", None),
        (["\x1b[32mReady\x1b[0m", "", "   "], "Ready", None),
        (["Fetching https://x.test/a?token=secret now"], "Fetching … now", None),
        (["x" * 1000], "x" * 159 + "…", None),
        ([], None, None),
    ],
)
def test_lines_are_read(lines: list[str], message: str | None, share: str | None) -> None:
    logs = [{"message": line, "level": "INFO", "source": "USER", "timestamp": "t"} for line in lines]
    assert read_progress(logs) == Progress(message, Decimal(share) if share else None)


def test_debug_lines_are_not_for_people() -> None:
    assert read_progress([{"message": "Working"}, {"message": "cache hit", "level": "DEBUG"}]).message == "Working"


@given(
    st.none()
    | st.text()
    | st.lists(st.none() | st.dictionaries(st.sampled_from(["message", "level"]), st.none() | st.text()))
)
def test_any_logs_read_as_something_sensible(logs: Any) -> None:
    progress = read_progress(logs)
    assert progress.share is None or 0 <= progress.share <= 1
    assert progress.message is None or (progress.message and len(progress.message) <= 160)
