# demo: a small data set from the bundled samples    test: lint, types and tests    bench: the README's figures
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: demo test lint test-corpora bench

demo: .venv/core
	$(BIN)/coalm-it build tod --out out/demo

test: lint
	$(BIN)/pytest

lint: .venv/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

test-corpora: .venv/dev
	@test -d "$(COALM_IT_CORPORA)" || { echo "COALM_IT_CORPORA must name the folder of the corpora" >&2; exit 2; }
	$(BIN)/pytest -m corpora

bench: .venv/dev
	$(BIN)/python benchmarks/build_tod.py

.venv/core: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable .
	@touch $@

.venv/dev: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable '.[dev]'
	@touch .venv/core $@
