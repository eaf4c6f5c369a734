# Two commands matter to a new user: `make run` and `make test`. Both make what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=

.PHONY: run test check bench fuzz lock format compile uncompile clean

run: $(STAMP)
	$(BIN)/python -m tests.kit.quickstart $(ARGS)

# All tests side by side in two processes; with ARGS those that pytest is asked for.
test: $(STAMP)
	$(BIN)/python -m $(if $(strip $(ARGS)),pytest $(ARGS),tests.halves)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(STAMP)
	$(BIN)/python -m tests.bench $(ARGS)

fuzz: $(STAMP)
	$(BIN)/python -m tests.fuzz $(ARGS)

# What every message passes, in C: a C compiler is needed, and some minutes. `make uncompile` goes back.
compile: $(STAMP)
	SIMPLEBRIDGE_COMPILE=1 $(BIN)/python setup.py --quiet build_ext --inplace --parallel 4

uncompile:
	find . -name '*.so' -not -path './$(VENV)/*' -print -exec rm -f {} +
	rm -rf build

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The lock file names every package with its hashes; `make lock` makes it anew from setup.cfg.
lock: $(STAMP)
	$(BIN)/pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		--extra test --extra check --extra lock --output-file requirements.lock setup.cfg

# The lock is whole: --no-deps keeps pip from resolving anew what a package asks for with an extra (`coverage[toml]`),
# which fails on the day that a newer version comes out. `pip check` says what a lock that is not whole lacks.
$(STAMP): requirements.lock setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/pip check --quiet --disable-pip-version-check
	touch $@

clean: uncompile
	rm -rf $(VENV) var build *.egg-info .mypy_cache .ruff_cache .hypothesis
