"""A small run of `make chaos`: everything goes wrong at once on a stack of its own, and nothing is lost."""

import subprocess
import sys

from local.paths import ROOT

SEED = 11
HANGS_AFTER = 600  # seconds: an upper bound against hanging, not a measure


def test_nothing_is_lost_when_everything_goes_wrong() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "local.chaos", "--jobs", "60", "--seed", str(SEED)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=HANGS_AFTER,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    assert f"seed {SEED}" in run.stdout
    assert "audit_books() is empty: none violated" in run.stdout
    assert "no job was sent to fal.ai twice: none violated" in run.stdout
