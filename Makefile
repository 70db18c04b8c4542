# Two commands: `make run` and `make test`. Everything they need is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
ARGS ?=
# Each file on one process. Half of the time goes by waiting for servers and leases, so there is one process more than the
# two cores that CI has; torch on one thread each, as threads that wait for one another would burn the other processes' time.
PROCESSES ?= 3

.PHONY: run test lint format clean footprint fuzz

run: $(VENV)/.run
	@$(BIN)/assay up $(ARGS)

test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=$(PROCESSES) --dist=loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .assay

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Assay needs Python 3.11 or newer as '$(PYTHON)'."; \
	  echo "  Debian or Ubuntu: sudo apt-get install python3 python3-venv    macOS: brew install python"; \
	  echo "  Another interpreter: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "This Python has no venv module."; \
	  echo "  Debian or Ubuntu: sudo apt-get install python3-venv"; exit 1; }
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.created pyproject.toml constraints.txt
	@echo "Installing Assay into $(VENV) (once; about a minute)"
	@$(PIP) --editable '.[worker,embedded]'
	@touch $@

$(VENV)/.dev: $(VENV)/.created pyproject.toml client/pyproject.toml constraints.txt
	@echo "Installing Assay and its test tools into $(VENV) (once)"
	@$(PIP) --editable '.[dev]' --editable ./client
	@touch $@ $(VENV)/.run

# Measures clone-to-first-rate, size and memory, and writes the table into README.md; minutes.
footprint: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.footprint

# Ten thousand requests made from the OpenAPI document, answers held against it; minutes.
fuzz: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.fuzz
