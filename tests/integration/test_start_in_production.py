"""Real processes with APP_ENV=production: a missing, default or weak secret ends the start with one line."""

import os
import subprocess
import sys

import pytest

from core.settings import ENVIRONMENT_NAMES, LOCAL_APP_SECRET
from local.paths import ROOT
from local.ports import HOST, free_port
from tests.unit.test_settings import PRODUCTION

HANGS_AFTER = 60  # seconds: against hanging, not a measure
COMPANION = ["uvicorn", "core.companion:create_app", "--factory", "--host", HOST]
PAGES = ["streamlit", "run", "streamlit_app.py", "--server.address", HOST, "--server.headless", "true"]
COMMANDS = {"companion": [*COMPANION, "--port"], "pages": [*PAGES, "--server.port"]}


@pytest.mark.parametrize("process", COMMANDS)
def test_a_weak_secret_ends_the_start(process: str) -> None:
    weak = {"APP_SECRET": LOCAL_APP_SECRET, "STRIPE_WEBHOOK_SECRET": "whsec_short"}
    environment = os.environ | dict.fromkeys(ENVIRONMENT_NAMES, "") | PRODUCTION | weak
    started = subprocess.run(
        [sys.executable, "-m", *COMMANDS[process], str(free_port())],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANGS_AFTER,
        check=False,
    )
    assert started.returncode == 1
    (line,) = [line for line in started.stderr.splitlines() if "production" in line]
    assert "APP_SECRET still has a default value" in line
    assert "STRIPE_WEBHOOK_SECRET is too short" in line
    assert "Traceback" not in started.stderr
    assert not any(secret in started.stdout + started.stderr for secret in (LOCAL_APP_SECRET, "whsec_short"))
