# The two commands are `make demo` and `make test`; `make help` lists the others.
DEBIAN ?= 12
PYTHON ?= python3
bin := .venv/bin

help:  ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */make \1\t/'

demo: .venv/ready  ## a mail server in a container, with real mail through it; DEBIAN=12 (default) or 13
	@$(bin)/python -m tests.targets demo --debian $(DEBIAN)

test: lint .venv/ready  ## everything: lint, types, unit, render and integration tests on both Debians
	$(bin)/python -m tests.targets images
	$(bin)/python -m pytest -n 4

quick: lint  ## what needs no Docker: lint, types, unit and render tests
	$(bin)/python -m pytest --ignore tests/integration

bench: .venv/ready  ## all measurements, into bench/results.md; python -m bench --help has the parts
	$(bin)/pip install --quiet --editable '.[dev,bench]'
	@$(bin)/python -m tests.targets images
	@$(bin)/python -m bench

lint: .venv/ready  ## ruff, mypy, shellcheck, and whether each package that is imported is declared
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy
	$(bin)/deptry .
	$(bin)/shellcheck $$(grep -rlE '^#!/bin/(ba)?sh' mailstack/shell bench tests/render/golden tests/targets/recipes)

clean:  ## remove all containers, images, networks and volumes named mailstack…, and what was made here
	@$(PYTHON) -m tests.targets clean
	rm -rf .venv .targets

# Debian's own Python has its venv module in a package of its own.
.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv || { apt-get update -q && apt-get install -qy python3-venv && $(PYTHON) -m venv --clear .venv; }
	$(bin)/pip install --quiet --editable '.[dev]'
	$(bin)/python -m compileall -q mailstack  # as pip does with a wheel; pyinfra keeps Python from doing it
	@touch $@

.PHONY: help demo test quick bench lint clean
