# All project tasks. `make` alone lists them.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:

HERE := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
BIN := .venv/bin
PYTHON := $(BIN)/python

# HELIOSTAT_DATA is the folder of measured traces (CONTRIBUTING.md): ../shared/data beside the checkout, or your own value.
ifndef HELIOSTAT_DATA
  BESIDE := $(shell cd '$(HERE)../shared/data' 2>/dev/null && pwd)
  ifneq ($(BESIDE),)
    export HELIOSTAT_DATA := $(BESIDE)
  endif
endif

# Bytecode is kept, whatever the shell says: the demo and the tests start dozens of processes, each of
# which would compile every module again (a second and more of CPU).
unexport PYTHONDONTWRITEBYTECODE

# Everything mypy reads strictly. The stubs in heliostat/v1 are generated and left out.
ROOMS := heliostat forecasting planning scheduling storage migrations simulation services \
         benchmarks tools tests docs/examples

# pytest-xdist processes; `make test JOBS=0` runs in one process, which a debugger needs.
JOBS := auto
# More words for pytest: `make test ARGS='-k outbox -x'`.
ARGS :=

define say
	@if [ -t 1 ]; then printf '\n\033[1m── %s\033[0m\n' "$(1)"; else printf '\n── %s\n' "$(1)"; fi
endef

.PHONY: help
help: ## List the targets
	@printf 'Heliostat. make <target>:\n\n'
	@[ -t 1 ] && on='\033[36m' off='\033[0m' || on= off=; \
	awk -F ':.*## ' -v on="$$on" -v off="$$off" \
	  '/^[a-z-]+:.*## / {printf "  " on "%-12s" off " %s\n", $$1, $$2}' \
	  $(firstword $(MAKEFILE_LIST))

# Reads what pip says, counts the packages in one line of a terminal (every 25th in a log), and lets
# through all that is not everyday talk: an error is always seen.
define COUNT_PACKAGES
/^(Collecting|Processing|Requirement already satisfied:) / {
  name = $$1 == "Requirement" ? $$4 : $$2; sub(/.*\//, "", name); sub(/[=-].*/, "", name); n++
  if (tty) printf "\r\033[K      %d/%d %s", n, total, name
  else if (n % 25 == 0) printf "      %d/%d\n", n, total
  fflush(); next
}
/^Installing collected/ { printf "%s      unpacking all of them\n", tty ? "\r\033[K" : ""; fflush(); next }
/^Successfully installed/ { print "      installed"; next }
/^ |^Looking in|^WARNING: Location|^WARNING: Running pip as|^Ignoring |^$$/ { next }
{ print; fflush() }
endef
.venv/.locked: export COUNT_PACKAGES := $(COUNT_PACKAGES)

# ── setting up ──────────────────────────────────────────────────────────────────────────────

.PHONY: setup
setup: .venv/.editable ## Create .venv from the lock (does nothing when up to date)

# Python 3.11 is what the lock was made for. The message says how to get it.
.venv/.python:
	@for candidate in python3.11 python3; do \
	  if $$candidate -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then \
	    found=$$candidate; break; fi; \
	done; \
	if [ -z "$${found:-}" ]; then \
	  printf '%s\n' 'make setup needs Python 3.11, and neither python3.11 nor python3 is one. Try:' \
	    '  Debian, Ubuntu:  sudo apt-get install python3.11 python3.11-venv' \
	    '  Fedora:          sudo dnf install python3.11' \
	    '  macOS:           brew install python@3.11' \
	    '  anywhere:        pyenv install 3.11 && pyenv local 3.11' 'then run make setup again.' >&2; \
	  exit 1; fi; \
	printf '[1/3] making .venv with %s\n' "$$($$found --version)"; \
	$$found -m venv --clear .venv || { \
	  printf '%s\n' "$$found cannot make virtual environments. On Debian or Ubuntu:" \
	    '  sudo apt-get install python3.11-venv' 'then run make setup again.' >&2; exit 1; }; \
	touch $@

.venv/.locked: .venv/.python requirements.lock
	@printf '[2/3] installing %s locked packages, one to three minutes\n' "$$(grep -c == requirements.lock)"
	@$(BIN)/pip install --disable-pip-version-check --require-hashes -r requirements.lock 2>&1 \
	  | awk "$$COUNT_PACKAGES" total="$$(grep -c == requirements.lock)" tty="$$(test -t 2 && echo 1)" -
	@touch $@

.venv/.editable: .venv/.locked pyproject.toml
	@printf '[3/3] linking this checkout into .venv\n'
	@$(BIN)/pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@
	@printf 'ready: make demo shows a day of Heliostat, make test runs the tests\n'

.PHONY: ray
ray: .venv/.ray ## Add Ray, which runs experiments on a cluster (optional, large)
.venv/.ray: .venv/.editable requirements-ray.lock
	@printf 'installing Ray\n'
	@$(BIN)/pip install --disable-pip-version-check -qq --require-hashes -r requirements-ray.lock
	@touch $@

# ── using ───────────────────────────────────────────────────────────────────────────────────

.PHONY: demo
demo: setup ## Simulate a day in three regions in a few minutes, with a web page
	@$(BIN)/heliostat demo

.PHONY: bench
bench: setup ## Measure the figures that the docs claim
	@$(PYTHON) -m benchmarks $(ARGS)

.PHONY: evidence
evidence: setup ## Build the pages of docs/evidence (ARGS='sageserve --seeds 5', ARGS=--render runs nothing)
	@$(PYTHON) -m benchmarks.evidence $(ARGS)

.PHONY: figures
figures: setup ## Write docs/figures.md from the last make bench
	@$(PYTHON) -m benchmarks.figures_page docs/figures.md

# ── checking ────────────────────────────────────────────────────────────────────────────────

# A process that has run hundreds of other tests could not start a Ray cluster; a fresh one can.
RAY_TESTS := tests/integration/test_experiments_on_ray.py

.PHONY: test
test: setup ## Run the tests (ARGS='-k outbox -x', JOBS=0 for one process)
ifeq ($(strip $(ARGS)),)
	@failed=0; $(PYTHON) -m pytest -n 0 $(RAY_TESTS) || failed=1; \
	$(PYTHON) -m pytest -n $(JOBS) --dist loadfile --ignore=$(RAY_TESTS) || failed=1; exit $$failed
else
	@$(PYTHON) -m pytest -n $(JOBS) --dist loadfile $(ARGS)
endif

.PHONY: check
check: setup ## Everything a change must pass; continues after failures, tests last
	@$(MAKE) --keep-going lint types walls contract schema memory test

.PHONY: lint
lint: setup ## Ruff: rules, then formatting
	$(call say,ruff check)
	@$(BIN)/ruff check .
	$(call say,ruff format)
	@$(BIN)/ruff format --check .

.PHONY: format
format: setup ## Format the code and fix what ruff can fix
	@$(BIN)/ruff check --fix . || true
	@$(BIN)/ruff format .

.PHONY: types
types: setup ## mypy --strict on all packages
	$(call say,mypy --strict)
	@$(BIN)/mypy $(ROOMS)

.PHONY: walls
walls: setup ## import-linter: allowed imports between packages
	$(call say,import-linter)
	@$(BIN)/lint-imports --no-logo

.PHONY: contract
contract: setup ## The wire contract: buf lint, no breaking change, stubs up to date
	$(call say,buf lint)
	@$(BIN)/buf lint && echo 'the contract is well written'
	$(call say,buf breaking)
	@$(PYTHON) -m tools.proto breaking
	$(call say,proto drift)
	@$(PYTHON) -m tools.proto drift

.PHONY: schema
schema: setup ## Check that migrations and tables agree
	$(call say,migration drift)
	@$(PYTHON) -m migrations.check

.PHONY: memory
memory: setup ## Run the compiled engine's tests with every memory access checked
	$(call say,engine with every place checked)
	@HELIOSTAT_CHECKED_ENGINE=1 $(PYTHON) -m pytest -q -n $(JOBS) tests/simulation/event \
	  -k 'not within_five_per_cent and not checked'

# ── making again ────────────────────────────────────────────────────────────────────────────

.PHONY: proto
proto: setup ## Generate heliostat/v1 from proto/heliostat/v1
	@$(PYTHON) -m tools.proto generate

# The lock names no index and no host: the one that pip is set up with serves it.
.PHONY: lock
lock: ## Resolve requirements.lock again from pyproject.toml (ARGS=--upgrade for newer versions)
	@test -x $(BIN)/uv || { $(MAKE) .venv/.python && $(BIN)/pip install --quiet uv; }
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	  --extra server --extra aws --extra sim --extra dev \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	  --custom-compile-command 'make lock' $(ARGS) pyproject.toml --output-file requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --constraint requirements.lock \
	  --extra server --extra aws --extra sim \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	  --custom-compile-command 'make lock' pyproject.toml --output-file requirements-server.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --constraint requirements.lock \
	  --extra ray \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	  --custom-compile-command 'make lock' pyproject.toml --output-file requirements-ray.lock
	@if grep -nE '://|--index|--find-links' requirements*.lock; then \
	  echo 'the lock names a host (above); it must not' >&2; exit 1; fi
	@echo 'requirements.lock is made, make setup installs it; requirements-server.lock is the image'"'"'s, requirements-ray.lock that of make ray'

.PHONY: clean
clean: ## Remove .venv and build products
	@rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
