# weft: `make demo` runs the main job, `make test` passes the tests. Both set up all they need in .venv first.
# PYTHON chooses the interpreter for .venv (3.11 or newer).

PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo test test-fast lint format types bench filecheck docs system clean

help:  ## what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: .venv/examples  ## train on handwritten digits, draw the picture, print one kernel at every stage
	$(BIN)/python examples/digits.py

test: .venv/dev system  ## every test, on every device
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

test-fast: .venv/dev  ## the tests that need no device and no browser
	$(BIN)/python -m pytest tests/unit filecheck

filecheck: .venv/dev  ## the compiler's text tests, through stock lit
	$(BIN)/lit -v filecheck

lint: .venv/dev types  ## ruff (lint and format) and pyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev  ## the type checker, over the four folders as they install
	rm -rf build/types && mkdir -p build/types
	cp -R frontend build/types/weft
	cp -R dialects passes backends build/types/weft/
	$(BIN)/pyright --pythonpath $(BIN)/python

format: .venv/dev  ## rewrite the sources as ruff wants them
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/dev  ## every benchmark, beside the machine's ceilings
	for program in benchmarks/*.py; do $(BIN)/python $$program || exit; done

docs: .venv/dev system  ## the compatibility table, from the package and from its tests on every device
	$(BIN)/python tools/compatibility.py record

system:  ## what lies outside Python: a Vulkan driver, Chromium, Node
	tools/system-packages.sh

clean:
	rm -rf .venv out build

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "weft needs Python 3.11 or newer: make PYTHON=/path/to/python3.x ..."; exit 1; }
	$(PYTHON) -m venv .venv || { echo "on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

.venv/examples: .venv/bin/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[examples]'
	@touch $@

.venv/dev: .venv/bin/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev,examples]'
	@touch $@
