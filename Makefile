# windlass on a Debian machine: `make demo` and `make test` install what they need.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST_ARGS ?=

.PHONY: help setup lab demo test check bench soak lock clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

setup: $(READY) ## .venv with the locked dependencies and windlass itself

$(READY): requirements.lock pyproject.toml .ci/venv
	@.ci/venv $(VENV)
	touch $@

lab: ## a Docker Engine with Compose, and the images that demo and tests use
	@lab/engine.sh
	lab/git.sh
	lab/images.sh

demo: setup lab ## windlass deploys an example and shows what it does
	@$(BIN)/windlass demo

# Two at a time: the acceptance tests wait for containers most of the time.
test: setup lab ## all tests, against a real engine
	@$(BIN)/pytest -n 2 --dist loadfile $(PYTEST_ARGS)

check: setup ## format, lint, types, import rules, house norms
	@$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --noconftest -q tests/test_house_norms.py

bench: setup lab ## how long deploys take
	@$(BIN)/python -m bench

soak: setup lab ## the long tests
	@$(BIN)/pytest -m soak $(PYTEST_ARGS)

# The lock must be the same wherever it is made: no index, no path, no command line in it.
lock: ## requirements.lock from pyproject.toml
	@. .ci/certificates
	env -u PIP_FIND_LINKS -u UV_FIND_LINKS -u UV_INDEX_URL -u UV_DEFAULT_INDEX $(BIN)/uv pip compile --quiet --no-config \
	  --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url \
	  --extra oidc --extra postgres --group dev pyproject.toml --output-file requirements.lock

clean: ## removes what make has made here; the engine and its images stay
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist
