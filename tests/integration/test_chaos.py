"""A small run of `make chaos`: everything goes wrong at once on a stack of its own, and nothing is lost."""

import subprocess
import sys

import pytest

from local.paths import ROOT

SEED = 11
HANGS_AFTER = 600  # seconds: an upper bound against hanging, not a measure


@pytest.fixture(scope="module")
def storm() -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "local.chaos", "--jobs", "60", "--seed", str(SEED)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=HANGS_AFTER, check=False)


def test_nothing_is_lost_when_everything_goes_wrong(storm: "subprocess.CompletedProcess[str]") -> None:
    assert storm.returncode == 0, storm.stdout[-6000:] + storm.stderr[-2000:]
    assert f"seed {SEED}" in storm.stdout
    assert "VIOLATION" not in storm.stdout
    assert "audit_books() is empty: none violated" in storm.stdout
    assert "no job was sent to fal.ai twice: none violated" in storm.stdout


@pytest.mark.parametrize("fault", ["companion 1", "companion 2", "supabase", "outage", "people 1"])
def test_everything_did_go_wrong(storm: "subprocess.CompletedProcess[str]", fault: str) -> None:
    assert f" fault: {fault}\n" in storm.stdout
