"""The browser that the tests drive: one of the system if there is one, otherwise Playwright's, otherwise Debian's."""

import os
import shutil
import subprocess
import sys

from local.errors import LocalError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


def find() -> str | None:
    """The path of a Chromium that is there, None without one."""
    for candidate in (*NAMES, MAC):
        path = shutil.which(candidate)
        if path:
            return path
    return _of_playwright()


def ensure() -> str:
    """The path of a Chromium, installed when there is none. Raises `LocalError` when that does not work."""
    found = find()
    if found:
        return found
    print("Installing Chromium for the browser tests", flush=True)
    _attempt([sys.executable, "-m", "playwright", "install", "chromium"])
    if not find() and os.geteuid() == 0 and shutil.which("apt-get"):
        _attempt(["apt-get", "update"])
        _attempt(["apt-get", "install", "--yes", "--no-install-recommends", "chromium"])
    found = find()
    if not found:
        raise LocalError("There is no Chromium for the browser tests: install one (Debian: apt install chromium).")
    return found


def _of_playwright() -> str | None:
    from playwright.sync_api import sync_playwright  # of the dev requirements; `make run` does without

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if os.path.exists(path) else None


def _attempt(command: list[str]) -> None:
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if result.returncode:
        print(f"{' '.join(command)} did not work: {(result.stderr or result.stdout).strip()[-400:]}", file=sys.stderr)


if __name__ == "__main__":
    try:
        ensure()
    except LocalError as error:
        sys.exit(str(error))
