# `make demo` and `make test` need Python 3.11 or later, and make. All they install stays in .venv
# and .cache of this folder; the demo's model is kept in the user's cache (FRANCA_CACHE_DIR).

PYTHON ?= python3
PDM_VERSION := 2.29.3

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
UNFINISHED := $(VENV)/.unfinished
PDM_VENV := .cache/pdm-$(PDM_VERSION)
PDM := $(PDM_VENV)/bin/pdm
PDM_READY := $(PDM_VENV)/.ready

.PHONY: help demo test lint bench clean
.DELETE_ON_ERROR:

help:
	@echo 'make demo    a small real model answers through franca'
	@echo 'make test    every test but the live ones'
	@echo 'make lint    style, format and types'
	@echo 'make bench   what a call costs'
	@echo 'make clean   remove what these have made'

demo: $(READY)
	@$(BIN)/python -m franca demo

test: $(READY)
	$(BIN)/python -m pytest tests --ignore=tests/live -n auto --dist worksteal

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ty check

bench: $(READY)
	$(BIN)/python benchmarks/overhead.py

clean:
	rm -rf $(VENV) .cache .pytest_cache .ruff_cache .hypothesis .pdm-build .pdm-python dist
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The mark of an unfinished environment goes in first and out last: one that was cut in the middle
# is made anew, and never taken as whole. One made by hand, without marks, is brought up to the lock.
$(READY): pyproject.toml pdm.lock $(PDM_READY)
	@if test -e $(UNFINISHED); then rm -rf $(VENV); fi
	@mkdir -p $(VENV) && touch $(UNFINISHED)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	PDM_IGNORE_SAVED_PYTHON=1 PDM_CHECK_UPDATE=0 VIRTUAL_ENV="$(CURDIR)/$(VENV)" \
		$(PDM) sync --group :all </dev/null
	@mv $(UNFINISHED) $(READY)
	@touch $(READY)

$(PDM_READY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
		"franca needs Python 3.11 or later; name one: make PYTHON=python3.12 …" >&2; exit 1; }
	@rm -rf $(PDM_VENV)
	$(PYTHON) -m venv $(PDM_VENV)
	$(PDM_VENV)/bin/python -m pip install -q --disable-pip-version-check 'pdm[locked]==$(PDM_VERSION)'
	@touch $(PDM_READY)
