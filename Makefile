# On a machine with Python 3.11-3.13 and make, every target here sets up what it needs by itself:
# uv (the machine's own, else one in .venv-tools), and the locked packages in .venv.

PYTHON ?= python3
TOOLS  := .venv-tools
UV     := $(or $(shell command -v uv 2>/dev/null),$(TOOLS)/bin/uv)
BIN    := .venv/bin
SYNCED := .venv/.synced

# Nothing is downloaded but packages: uv must find a Python, not fetch one.
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := .venv

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format soak docs clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

setup: $(SYNCED) ## Install everything into .venv

demo: $(SYNCED) ## Run the demo; make demo ARGS="--seconds 60 --no-dashboard" passes arguments on
	$(BIN)/faultline demo $(ARGS)

test: lint ## Check style, types and layers, then run all tests but the long ones
	$(BIN)/pytest -m "not soak" -n auto --maxprocesses 4 --dist loadgroup $(ARGS)

lint: $(SYNCED) ## Check style, formatting, types and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(SYNCED) ## Format the code, and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

soak: $(SYNCED) ## Run the long tests; make soak SOAK_MINUTES=60 says for how long
	$(BIN)/pytest -m soak --timeout 0 -s $(ARGS)

docs: $(SYNCED) ## Write the generated pages of docs/ anew
	$(BIN)/python -m faultline.reference docs

clean: ## Remove what make set up
	rm -rf .venv $(TOOLS)

$(SYNCED): pyproject.toml uv.lock | $(UV)
	$(UV) sync --frozen --compile-bytecode --quiet --python $(PYTHON)
	@touch $@

$(TOOLS)/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "Python 3.11 to 3.13 is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(TOOLS) || \
		{ echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; rm -rf $(TOOLS); exit 1; }
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.9,<1"
