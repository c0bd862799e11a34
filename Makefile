PYTHON ?= python3
BIN := .venv/bin
TEST_PROCESSES ?= 2
CHAOS_SECONDS ?= 3600
CHAOS_SEED ?= 1

.PHONY: chaos chaos-memory demo dist docs install test test-slow test-gp test-jax test-torch test-dask test-ray test-backbones test-notebooks test-trackers test-wheel lint clean

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
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile -m 'not dask and not ray and not slow'

# Whole commands that train, are killed, search or are written in the docs: each takes 15 seconds to minutes.
test-slow: .venv/tests-installed
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile -m 'slow and not dask and not ray' --ignore tests/notebooks

# The Gaussian-process sampler needs torch, which is too large for the light suite.
test-gp: .venv/tests-installed
	$(BIN)/python -m pip install --quiet 'torch==2.13.0'
	$(BIN)/python -m pytest tests/tuning/test_search.py -k gaussian

# Training on Keras' other backends: what a fold promises, by the tests of TensorFlow.
BACKEND_TESTS := tests/training/test_fold.py -k "dihedral-2 or saved_model or warm_worker or should_move or diverges"

test-jax: .venv/tests-installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[jax]'
	KERAS_BACKEND=jax $(BIN)/python -m pytest $(BACKEND_TESTS)

test-torch: .venv/tests-installed
	$(BIN)/python -m pip install --quiet 'torch==2.13.0'
	KERAS_BACKEND=torch $(BIN)/python -m pytest $(BACKEND_TESTS)

# The site, in build/site. The tutorial's commands are run; their runs stay in build/docs.
docs: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

test-notebooks: .venv/tests-installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[notebook]' nbclient
	$(BIN)/python -m pytest tests/notebooks

# MLflow wants other versions than constraints.txt, so it lives in an environment laid over .venv.
.venv-trackers/installed: .venv/tests-installed
	$(BIN)/python -m venv .venv-trackers
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > \
	    $$(echo .venv-trackers/lib/python3*/site-packages)/below.pth
	.venv-trackers/bin/python -m pip install --quiet 'mlflow==3.17.2' 'wandb==0.31.0'
	touch $@

test-trackers: .venv-trackers/installed
	PYTHONPATH=. .venv-trackers/bin/python -m pytest -p no:xdist tests/tracking

# Real clusters of two workers on this machine. CLUSTER_TESTS: an expression that chooses some.
test-dask test-ray: test-%: .venv/tests-installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$*]'
	$(BIN)/python -m pytest tests/executors -m $* $(if $(CLUSTER_TESTS),-k "$(CLUSTER_TESTS)")

# Every architecture, the large ones too.
test-backbones: .venv/tests-installed
	ALL_BACKBONES=1 $(BIN)/python -m pytest tests/models/test_backbones.py --numprocesses $(TEST_PROCESSES)

# Damaged files, kills and two commands at once, for so many seconds; what fails is printed with what
# repeats it.
chaos: .venv/tests-installed
	$(BIN)/python -m tests.chaos --seed $(CHAOS_SEED) --seconds $(CHAOS_SECONDS)

# Memory over 50 folds and 200 trials, drawn for docs/reliability.md.
chaos-memory: .venv/tests-installed
	$(BIN)/python -m tests.chaos.memory --to docs/memory.svg

# sdist and wheel of the version in ensemble_kit/core/version.py.
dist: .venv/tests-installed
	rm -rf dist build
	$(BIN)/python -m build

# The wheel in an environment of its own: check, cv on the sample and report, from an empty folder.
test-wheel: dist
	TEST_WHEEL=1 $(BIN)/python -m pytest tests/packaging --numprocesses 0

lint: .venv/tests-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv .venv-trackers build
