"""Files that people bring, before anything is looked at."""

import pytest

from core import inputs
from core.errors import InvalidInput


def test_files_that_are_too_large_are_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "LARGEST_PICTURE", 10)
    monkeypatch.setattr(inputs, "LARGEST_RECORDING", 10)
    for bring in (inputs.picture, inputs.recording):
        with pytest.raises(InvalidInput, match="larger than"):
            bring(None, bytes(11))  # type: ignore[arg-type]
