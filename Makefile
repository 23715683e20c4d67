# Two commands are enough on a fresh machine: `make demo` and `make test`.
# They need Python 3.11 or later with pip, and make. Everything else is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: demo test faults lint docs format bench lock dist light clean help

help:
	@echo "make demo   synthesize a herbarium, train on it, evaluate, identify twelve new sheets"
	@echo "make test   run the tests"
	@echo "make faults mutated files, kills, full disks and lost machines, the long form (about half an hour on 2 cores)"
	@echo "make lint   ruff, mypy, import-linter"
	@echo "make docs   build the documentation in build/docs, and check its links"
	@echo "make bench  run the benchmarks of docs/results.md (minutes to hours)"
	@echo "make lock   update requirements.lock and requirements-identify.lock from pyproject.toml"
	@echo "make dist   build wheel and source distribution into dist/, and check them"
	@echo "make light  install the wheel to identify only, and try every command there (needs the package registry)"

# Created again whenever the locked versions change.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "leafid needs Python 3.11 or later, but $(PYTHON) is %d.%d: name another one with make PYTHON=python3.12" % v[:2])'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet "uv>=0.5"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: $(INSTALLED)
	$(BIN)/leafid demo --again

test: $(INSTALLED)
	$(BIN)/python -m pytest -m "not engines"
	$(BIN)/python -m pytest -m engines

# Each run draws its own seed; repeat one with LEAFID_FAULTS_SEED=N.
faults: $(INSTALLED)
	LEAFID_FAULTS=long $(BIN)/python -m pytest tests/faults

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(INSTALLED)
	$(BIN)/sphinx-build -E -W --keep-going -q -b html docs build/docs
	$(BIN)/python scripts/check_links.py build/docs

# SHARED holds the real images. Each script documents what it measures and how long it takes (--help).
SHARED ?= ../shared

bench: $(INSTALLED)
	@test -d $(SHARED) || { echo "make bench needs real images. Name their folder: make bench SHARED=../shared"; exit 2; }
	$(BIN)/python scripts/bench_fetch.py --images 2000 --kilobytes 200
	$(BIN)/python scripts/bench_reading.py $(SHARED)/sheets/full_size
	$(BIN)/python scripts/bench_identify.py --shared $(SHARED) --out runs/bench-identify
	$(BIN)/python scripts/bench_identify_scale.py memory --shared $(SHARED) --out runs/bench-identify
	$(BIN)/python scripts/measure_sheets.py masks --shared $(SHARED)
	$(BIN)/python scripts/measure_vein_maps.py --shared $(SHARED)
	$(BIN)/python scripts/measure_sheets.py crops
	$(BIN)/python scripts/measure_shortcuts.py --bench $(SHARED)/bench
	$(BIN)/leafid collect configs/bench-viola.yaml
	$(BIN)/python scripts/bench_training.py configs/bench-viola.yaml --set sheets.size=224 --set sheets.overview_size=null --set model.pooling=average --set "model.scales=[1.0]"
	$(BIN)/python scripts/ablate_views.py configs/bench-viola.yaml --out runs/ablate-viola
	$(BIN)/python scripts/ablate_views.py configs/bench-remp.yaml --out runs/ablate-remp --set training.probe_augmented_copies=0

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock:
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet "uv>=0.5"
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--extra dev --output-file requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--constraints requirements.lock --overrides packaging/identify-overrides.txt \
		--output-file requirements-identify.lock pyproject.toml

# Without isolation, so that the locked hatchling builds, and nothing is fetched.
dist: $(INSTALLED)
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist
	$(BIN)/python -m twine check --strict dist/*
	cd dist && sha256sum * > SHA256SUMS

light: dist
	$(BIN)/python scripts/check_light_install.py dist/*.whl

clean:
	rm -rf .venv
