# make demo   environment and the whole chain at mini scale; results in results/mini/
# make test   all tests
# make check  format, lint, types
# make bench  speed of the degradation; what the mini zoo reaches and draws (docs/mini_*.md)
# make docs   copy tables and figures of the mini run into docs/
# make zoo    train the mini zoo anew (hours)
# make clean  remove results of mini runs and caches
.PHONY: demo test check bench docs clean zoo help
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
	# the list is complete, so nothing is left to resolve; modules are compiled below, on all cores
	$(BIN)/python -m pip install --quiet --no-deps --no-compile -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -r requirements-basicsr.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	# halves the start of each job, also where Python may not write compiled files; some packages ship files for other
	# versions of Python, which cannot be compiled and are never imported
	$(BIN)/python -m compileall -q -j 0 .venv/lib > .venv/not_compiled.txt || true
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
	$(BIN)/python benchmarks/mini_zoo.py
	$(BIN)/python benchmarks/mini_diffusion.py

docs: demo
	mkdir -p docs/images
	cp results/mini/figures/examples.png docs/images/
	$(BIN)/python docs/copy_pictures.py
	(echo "# Tables of the mini run"; echo; echo "Written by \`make docs\` from results/mini/tables."; \
	  for t in sr_models agreement table2 table3 table4 table4_changes leave_one_out calibration ceiling strata; do echo; cat results/mini/tables/$$t.md; done) > docs/mini_results.md

zoo: .venv/.ready
	$(BIN)/snakemake --cores $(CORES) train_zoo

clean:
	rm -rf results/mini results/tiny .snakemake .pytest_cache .mypy_cache .ruff_cache .hypothesis
