PYTHON ?= python3
BIN := .venv/bin
TEST_PROCESSES ?= 2
CHAOS_SECONDS ?= 3600
CHAOS_SEED ?= 1

.PHONY: chaos demo install test test-gp test-dask test-ray test-backbones lint clean

demo: install
	$(BIN)/python cli.py cv --study studies/sample.toml --run demo --overwrite
	$(BIN)/python cli.py report demo

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/tests-installed: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

test: .venv/tests-installed
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile -m 'not dask and not ray'

# The Gaussian-process sampler needs torch, which is too large for the light suite.
test-gp: .venv/tests-installed
	$(BIN)/python -m pip install --quiet 'torch==2.13.0'
	$(BIN)/python -m pytest tests/tuning/test_search.py -k gaussian

# Real clusters of two workers on this machine.
test-dask test-ray: test-%: .venv/tests-installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$*]'
	$(BIN)/python -m pytest tests/executors -m $*

# Every architecture, the large ones too.
test-backbones: .venv/tests-installed
	ALL_BACKBONES=1 $(BIN)/python -m pytest tests/models/test_backbones.py --numprocesses $(TEST_PROCESSES)

# Damaged files, then kills, for so many seconds; what fails is printed with what repeats it.
chaos: .venv/tests-installed
	$(BIN)/python -m tests.chaos.fuzz --seed $(CHAOS_SEED) --seconds $$(($(CHAOS_SECONDS) * 2 / 3))
	$(BIN)/python -m tests.chaos.kills --seed $(CHAOS_SEED) --seconds $$(($(CHAOS_SECONDS) / 3))

lint: .venv/tests-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv
