# The two commands are `make demo` and `make test`; `make help` lists the others.
PYTHON ?= python3
bin := .venv/bin

# The parts of the tests: unit, render, and the folders of tests/integration
parts := unit render $(sort $(notdir $(patsubst %/,%,$(filter-out %/__pycache__/,$(wildcard tests/integration/*/)))))
ifneq ($(filter-out $(parts),$(PART)),)
$(error no part named $(filter-out $(parts),$(PART)): there are $(parts))
endif

help:  ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */make \1\t/'

demo: DEBIAN ?= 12
demo: .venv/ready  ## a mail server in a container, with real mail through it; DEBIAN=12 (default) or 13; ACME=1: and a CA; WEBMAIL=1: and webmail
	@$(if $(WEBMAIL),WEBMAIL=1 )$(bin)/python -m tests.targets demo --debian $(DEBIAN) $(if $(ACME),--acme)

# what the tests need first, side by side: one waits for processors, the other for the network
first := $(strip $(if $(PART),,lint) $(if $(filter-out unit render,$(or $(PART),all)),images))

test: .venv/ready  ## everything: lint, types, unit, render and integration tests; PART=dovecot DEBIAN=13: some
	$(if $(first),@$(MAKE) --no-print-directory --jobs=2 --output-sync $(first))
	$(bin)/python -m pytest -n 4 $(DEBIAN:%=--debian %) $(wildcard $(PART:%=tests/%) $(PART:%=tests/integration/%))

examples: .venv/ready images  ## deploy each folder of examples/ to containers, and send mail through it
	$(bin)/python -m pytest -n 2 --examples tests/integration/examples

quick: lint  ## without Docker: lint, types, unit and render tests
	$(bin)/python -m pytest --ignore tests/integration

bench: .venv/ready  ## all measurements, into bench/results.md; python -m bench --help has the parts
	$(bin)/pip install --quiet --editable '.[dev,bench]'
	@$(MAKE) --no-print-directory images
	@$(bin)/python -m bench

faults: .venv/ready  ## all faults under load, into docs/reliability.md; python -m faults --help has the parts
	@$(MAKE) --no-print-directory images
	@$(bin)/python -m faults

images: .venv/ready
	@$(bin)/python -m tests.targets images

lint: .venv/ready  ## ruff, mypy, shellcheck, workflow files, and a check that each imported package is declared
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy
	$(bin)/deptry .
	$(bin)/shellcheck $$(grep -rlE '^#!/bin/(ba)?sh' mailstack/shell bench tests/render/golden tests/targets/recipes)
	$(bin)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml

# mutmut never cancels its timeouts: it sends SIGXCPU to ids of children that have ended, which by then may be those
# of other processes. In a PID namespace of its own it reaches none of them.
mutants: .venv/ready  ## break pure code in many small ways, and list what no unit test notices; some minutes
	$(bin)/pip install --quiet --editable '.[dev,mutants]'
	unshare --map-root-user --pid --fork --kill-child --mount-proc $(bin)/mutmut run $(if $(MUTANTS),'$(MUTANTS)')
	$(bin)/mutmut results | sed '/: not checked$$/d'

fuzz: .venv/ready  ## 10,000 new hostile values for each field, where `make test` has the same 60; CASES=1000: fewer
	MAILSTACK_CASES=$(or $(CASES),10000) $(bin)/python -m pytest -n 4 tests/unit/hostile

lowest: .venv/ready  ## unit and render tests with the oldest versions that pyproject.toml allows
	$(bin)/pip install --quiet --editable '.[dev,release]'
	$(bin)/uv venv --quiet --clear --python $(bin)/python .lowest
	$(bin)/uv pip compile --quiet --resolution lowest-direct --output-file .lowest/constraints.txt pyproject.toml
	$(bin)/uv pip install --quiet --python .lowest --constraint .lowest/constraints.txt --editable '.[dev]'
	.lowest/bin/python -m pytest tests/unit tests/render

next: .venv/ready  ## the same tests with the next major version of pyinfra; they may fail
	$(bin)/pip install --quiet --editable '.[dev,release]'
	$(bin)/uv venv --quiet --clear --python $(bin)/python .next
	$(bin)/uv pip install --quiet --python .next --editable '.[dev]'
	$(bin)/uv pip install --quiet --python .next --prerelease allow 'pyinfra>=4.0.dev0'
	.next/bin/python -m pytest tests/unit tests/render

docs: .venv/ready  ## the pages of docs/ for the web, in site/; a broken link is an error
	$(bin)/pip install --quiet --editable '.[dev,docs]'
	NO_MKDOCS_2_WARNING=1 $(bin)/mkdocs build --strict

pictures: .venv/ready  ## all pictures of docs/: drawings from text, bars of bench/results.md, screens of a server
	$(bin)/pip install --quiet --editable '.[dev,bench]'
	$(bin)/python -m docs.drawings
	$(bin)/python -m bench.bars
	@$(MAKE) --no-print-directory images
	MAILSTACK_PICTURES=$(CURDIR)/docs/pictures $(bin)/python -m pytest -n 1 --debian 13 -k 'not mysql' \
	  tests/integration/webmail/test_in_browser.py tests/integration/status/test_status.py::test_a_server_that_needs_nobody

dist: .venv/ready  ## the packages for an index, in dist/, checked
	$(bin)/pip install --quiet --editable '.[dev,release]'
	rm -rf dist
	$(bin)/python -m hatchling build
	$(bin)/twine check --strict dist/*

release: .venv/ready  ## the same for a version that is released: TAG=v1.2.3
	@version=$$($(bin)/python -m hatchling version) && test "$(TAG)" = "v$$version" || \
	  { echo "TAG=$(TAG), but mailstack/__init__.py has $$version"; false; }
	@grep -q '^## \[$(TAG:v%=%)\] - ' CHANGELOG.md || { echo "CHANGELOG.md has no section [$(TAG:v%=%)]"; false; }
	@! grep -n 'mailstack\.example' pyproject.toml mkdocs.yml SECURITY.md CODE_OF_CONDUCT.md || \
	  { echo "these names are placeholders: give the project a home first"; false; }
	@$(MAKE) --no-print-directory dist

clean:  ## remove all containers, images, networks and volumes named mailstack…, and the files made here
	@$(PYTHON) -m tests.targets clean
	rm -rf .venv .targets .lowest .next dist mutants site

# Debian's own Python has its venv module in a separate package.
.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv || { apt-get update -q && apt-get install -qy python3-venv && $(PYTHON) -m venv --clear .venv; }
	$(bin)/pip install --quiet --editable '.[dev]'
	$(bin)/python -m compileall -q mailstack  # as pip does with a wheel; pyinfra keeps Python from doing it
	@touch $@

.PHONY: help demo test examples quick bench faults fuzz images lint mutants lowest next dist release docs pictures clean
