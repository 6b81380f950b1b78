# make demo   environment and the whole chain at mini scale; results in results/mini/
# make test   all tests
# make check  format, lint, types
.PHONY: demo test check bench clean zoo help
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
.venv/.ready: requirements.txt requirements-basicsr.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' \
	  || (echo "hlf needs Python 3.11 or 3.12; name it: make PYTHON=python3.12 ..." >&2; exit 1)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	grep -E '^(pip|setuptools|wheel|Cython|numpy)==' requirements.txt > .venv/first.txt
	$(BIN)/python -m pip install --quiet --upgrade pip -r .venv/first.txt
	$(BIN)/python -m pip install --quiet -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -r requirements-basicsr.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: .venv/.ready
	$(BIN)/snakemake --cores $(CORES) all
	@echo "Open results/mini/report.html; tables are in results/mini/tables, figures in results/mini/figures."

test: .venv/.ready
	$(BIN)/python -m pytest -n 2 tests

check: .venv/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint
	$(BIN)/mypy

bench: .venv/.ready
	$(BIN)/python benchmarks/bench_degradation.py

zoo: .venv/.ready
	$(BIN)/snakemake --cores $(CORES) train_zoo

clean:
	rm -rf results/mini results/tiny .snakemake .pytest_cache .mypy_cache .ruff_cache .hypothesis
