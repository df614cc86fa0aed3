# `make demo` and `make test` are all a newcomer needs; `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c

.PHONY: help setup setup-dev demo up down check test bench docs pictures lock clean

help:
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.venv/bin/uv: requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Kurama needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Set PYTHON=python3.11, say." >&2; exit 1; }
	$(PYTHON) -m venv .venv || { echo "Could not make .venv. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	touch $@

.venv/.runtime: requirements/runtime.txt setup.cfg .venv/bin/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/runtime.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	touch $@

.venv/.dev: requirements/dev.txt .venv/.runtime
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	touch $@

setup: .venv/.runtime ## install Kurama and its engines into .venv
setup-dev: .venv/.dev ## the same, with the tools for tests, checks and benchmarks

demo: setup ## from nothing to a pushed Flask app with logs, on this machine
	$(BIN)/python examples/demo.py

up: setup ## start the platform in the background
	$(BIN)/kurama up

down: setup ## stop it, apps included
	$(BIN)/kurama down

check: setup-dev ## ruff, mypy, import rules and unit tests: under a minute
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/unit

test: setup-dev ## every test, on real engines
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests

bench: setup-dev ## the figures of docs/, measured here, each beside its floor
	$(BIN)/python -m bench

docs: setup-dev ## write the reference pages that come from the code
	$(BIN)/python docs/generate.py

pictures: setup-dev ## draw the README's picture from a real push
	$(BIN)/python -m docs.pictures

lock: .venv/bin/uv ## resolve requirements/*.txt anew from setup.cfg
	$(BIN)/python requirements/lock.py

clean: ## remove .venv and caches, not your data
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
