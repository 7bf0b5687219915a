# Every target works by itself on a fresh clone: it makes the environment in .venv first.
# PYTHON=python3.12 chooses the interpreter of that environment.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo dev check lint format types test test-fast bench bench-fleet sim crash protos protos-check diagrams docs constraints clean

BIN   := .venv/bin
STAMP := .venv/.ganger-setup

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | while IFS='|' read -r name what; \
	  do printf '%-20s %s\n' "$$name" "$$what"; done

setup: $(STAMP)  ## make or renew the environment in .venv

$(STAMP): pyproject.toml constraints.txt
	@if command -v uv >/dev/null; then \
	  uv venv --quiet --allow-existing --python '$(or $(PYTHON),>=3.11)' .venv && \
	  uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[all]' --group dev; \
	else \
	  python='$(or $(PYTHON),python3)'; \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Ganger needs Python 3.11 or later, and $$python is not that (`$$python --version 2>&1`)."; \
	    echo "Install one (Debian, Ubuntu: sudo apt install python3 python3-venv; or uv, which fetches its own)"; \
	    echo "or name one that is here: make setup PYTHON=python3.12"; \
	    exit 1; } >&2; \
	  echo 'making .venv: about 420 MB, a minute or two'; \
	  "$$python" -m venv .venv && \
	  $(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1' && \
	  $(BIN)/python -m pip install --quiet -c constraints.txt -e '.[all]' --group dev; \
	fi
	@touch $@

demo: $(STAMP)  ## run a small cluster on this machine and real trainings on it
	$(BIN)/python demo/run.py

dev: $(STAMP)  ## run a cluster on this machine until Ctrl-C
	$(BIN)/ganger dev

check: lint types protos-check test  ## everything that has to be green before a change is proposed

lint: $(STAMP)  ## style, format and who may import whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

format: $(STAMP)  ## put the code into its format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(STAMP)  ## strict type check
	$(BIN)/mypy

test: $(STAMP)  ## all tests, and which took longest: under 5 minutes on 2 cores, no root, no Docker, no GPU
	$(BIN)/python -m pytest -n auto --dist worksteal -ra --durations=15 $(ARGS)

test-fast: $(STAMP)  ## unit and property tests only
	$(BIN)/python -m pytest -n auto --dist worksteal -ra tests/unit tests/property $(ARGS)

bench: $(STAMP)  ## measure: one JSON line per figure (half an hour; ARGS=--quick)
	PYTHONPATH=tests $(BIN)/python -m bench $(ARGS)

bench-fleet: $(STAMP)  ## a master before 1,000 simulated workers that flap, 100,000 tasks (ARGS='--workers 50 --tasks 1000')
	PYTHONPATH=tests $(BIN)/python -m bench.fleet $(ARGS)

crash: $(STAMP)  ## the crash campaign: kill master, workers, keepers, every write, the disk (an hour; ARGS=--quick)
	PYTHONPATH=tests $(BIN)/python -m crash $(ARGS)

sim: $(STAMP)  ## simulate: SEEDS=1000 START=1 runs many clusters with faults, SEED=7 replays one with its trace
	cd tests && ../$(BIN)/python -m simulation \
	  $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),1000) --start $(or $(START),1)) $(ARGS)

protos: $(STAMP)  ## make the gRPC code from the schemas again
	$(BIN)/python tools/protos.py

protos-check: $(STAMP)  ## fail when the committed gRPC code is not what the schemas give
	$(BIN)/python tools/protos.py --check

diagrams: $(STAMP)  ## write the state diagrams of ARCHITECTURE.md again
	$(BIN)/python tools/diagrams.py

docs: $(STAMP)  ## write what the pages show again: outputs from real runs, references from the program (ARGS=README.md)
	$(BIN)/python tools/references.py
	PYTHONPATH=tests $(BIN)/python -m documents $(ARGS)

constraints:  ## write constraints.txt again with the newest versions that fit (needs the network)
	rm -rf build/constraints
	$(or $(PYTHON),python3) -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	build/constraints/bin/python -m pip install --quiet -e '.[all]' --group dev
	{ sed -n '/^#/p' constraints.txt; \
	  build/constraints/bin/python -m pip freeze --all --exclude pip --exclude-editable; } > build/constraints.txt
	mv build/constraints.txt constraints.txt
	rm -rf build/constraints

clean:  ## remove the environment and everything made by tools
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
