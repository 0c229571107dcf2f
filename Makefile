# On a fresh machine: make demo, make paper, make test.
PYTHON ?= python3
SCENES ?=
SCALE ?= auto
RUNS ?= 100000
VENV := .venv
RUN := $(VENV)/bin

.PHONY: demo paper test lint bench fuzz sanitize clean

demo: $(VENV)/installed
	$(RUN)/twinlens demo --out demo-run $(if $(SCENES),--scenes $(SCENES))

# SCALE is small, medium or full; auto is full where torch sees a GPU, else small.
paper: $(VENV)/installed
	$(RUN)/twinlens experiment recipes/zhang2024.toml --scale $(SCALE) --out paper-run $(if $(SCENES),--scenes $(SCENES))

# Small matrices: OpenBLAS's threads would only wait for each other.
test: $(VENV)/installed-dev lint
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(RUN)/pytest

lint: $(VENV)/installed-dev
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/lint-imports
	$(RUN)/python tests/check_file_length.py
	$(RUN)/mypy

bench: $(VENV)/installed-dev
	for script in benchmarks/*.py; do $(RUN)/python $$script || exit 1; done

fuzz:
	$(PYTHON) fuzz/fuzz.py --runs $(RUNS)

sanitize: $(VENV)/installed-dev
	PATH="$(CURDIR)/$(RUN):$$PATH" tests/capture/sanitize.sh address,undefined
	PATH="$(CURDIR)/$(RUN):$$PATH" tests/capture/sanitize.sh thread

clean:
	rm -rf $(VENV) build demo-run paper-run

$(VENV)/pip:
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --upgrade -c constraints.txt 'pip>=25.1'
	touch $@

native := $(wildcard twinlens/capture/native/*.[ch]) CMakeLists.txt

$(VENV)/installed: $(VENV)/pip pyproject.toml constraints.txt $(native)
	$(RUN)/python -m pip install --quiet -c constraints.txt torch
	$(RUN)/python -m pip install --quiet -c constraints.txt --build-constraint constraints.txt -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(RUN)/python -m pip install --quiet -c constraints.txt --group dev
	touch $@
