# make demo       environment and the whole chain at mini scale; results in results/mini/
# make test       all tests
# make check      format, lint, types
# make bench      speed of every hot path against its baseline, one table; ONLY="degradation seesr" for some of them
# make docs       copy tables and figures of the mini run into docs/, and list licences anew
# make zoo        train the mini zoo anew (hours)
# make zoo_pages  what the mini zoo reaches and draws, measured anew: docs/mini_zoo.md, docs/mini_diffusion.md
# make clean      remove results of mini runs and caches
.PHONY: demo test check bench docs clean zoo zoo_pages help
.DEFAULT_GOAL := help

PYTHON ?= python3.11
CORES ?= 2
BIN := .venv/bin
# networks of a job use one thread; a BLAS pool per job would only fight for cores
export OMP_NUM_THREADS := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

# made on first use, and again when the lists of versions change
# the list is complete, so nothing is left to resolve. Compiling halves the start of each job, also where Python may not
# write compiled files; some packages ship files for other versions of Python, which cannot be compiled and are never
# imported
.venv/.ready: requirements.txt requirements-basicsr.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' \
	  || (echo "hlf needs Python 3.11 or 3.12; name it: make PYTHON=python3.12 ..." >&2; exit 1)
	@echo "Environment in .venv, once, some minutes. 1 of 3: pip and what others are built with"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@grep -E '^(pip|setuptools|wheel|Cython|numpy)==' requirements.txt > .venv/first.txt
	@$(BIN)/python -m pip install --quiet --upgrade pip -r .venv/first.txt
	@echo "2 of 3: the $$(grep -c == requirements.txt) packages of requirements.txt, 7 GB with PyTorch"
	@$(BIN)/python -m pip install --quiet --no-deps --no-compile -r requirements.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -r requirements-basicsr.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@echo "3 of 3: compiling them"
	@$(BIN)/python -m compileall -q -j 0 .venv/lib > .venv/not_compiled.txt || true
	@touch $@

demo: .venv/.ready
	@echo "Snakemake runs what is missing, some 100 jobs at first; after a kill or a failure the same command goes on"
	$(BIN)/snakemake --cores $(CORES) all
	@echo "Open results/mini/report.html; tables are in results/mini/tables, figures in results/mini/figures."

test: .venv/.ready
	$(BIN)/python -m pytest -n 3 --durations=10 tests

check: .venv/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint
	$(BIN)/mypy

bench: .venv/.ready
	$(BIN)/python benchmarks $(if $(ONLY),--only $(ONLY))

docs: demo
	mkdir -p docs/images
	cp results/mini/figures/examples.png docs/images/
	$(BIN)/python docs/copy_pictures.py
	$(BIN)/python docs/copy_tables.py
	$(BIN)/python docs/licences.py

zoo: .venv/.ready
	$(BIN)/snakemake --cores $(CORES) train_zoo

zoo_pages: .venv/.ready
	$(BIN)/python benchmarks/mini_zoo.py
	$(BIN)/python benchmarks/mini_diffusion.py

clean:
	rm -rf results/mini results/tiny .snakemake .pytest_cache .mypy_cache .ruff_cache .hypothesis
