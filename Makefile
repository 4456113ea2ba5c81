# make train: a model that reads captchas, from nothing.   make test: ruff, mypy and the suite.
# make test-slow: the tests that take seconds each.
# make docs: the documentation as a site.                  make bench: the benchmarks.
# make fuzz: damaged files of every kind, for hours.       make fuzz INPUTS=1000: for less.
# make chaos: a small run under 100 kills (KILLS=...).
PYTHON ?= python3
TARGET ?= 0.99
INPUTS ?= 50000
KILLS ?= 100
BIN := .venv/bin
PACKAGE := setup.py pyproject.toml
# MXNet works with no other Python.
SUPPORTED := import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))
refuse_other_pythons = @$(1) -c '$(SUPPORTED)' || { \
	echo "$$($(1) --version) is not supported: use Python 3.10, 3.11 or 3.12 ($(2)make PYTHON=python3.12 ...)" >&2; exit 2; }

.PHONY: train test test-slow docs bench fuzz chaos clean
.DELETE_ON_ERROR:

.venv/bin/python:
	$(call refuse_other_pythons,$(PYTHON))
	@rm -rf .venv
	$(PYTHON) -m venv .venv || { echo "is the venv module installed? On Debian: apt-get install python3-venv" >&2; rm -rf .venv; exit 2; }

.venv/cpu: $(PACKAGE) .venv/bin/python
	$(call refuse_other_pythons,$(BIN)/python,make clean; )
	$(BIN)/python -m pip install --quiet -e '.[cpu]'
	@touch $@

.venv/test: $(PACKAGE) .venv/bin/python
	$(call refuse_other_pythons,$(BIN)/python,make clean; )
	$(BIN)/python -m pip install --quiet -e '.[test]'
	@touch $@ .venv/cpu

.venv/docs: $(PACKAGE) .venv/bin/python
	$(BIN)/python -m pip install --quiet -e '.[docs]'
	@touch $@

train: .venv/cpu
	$(BIN)/ctc-ocr train --prefix train/ocr --overwrite --target_accuracy $(TARGET) fonts/Ubuntu-M.ttf
	$(BIN)/ctc-ocr generate --count 8 --output_dir train/samples --overwrite fonts/Ubuntu-M.ttf
	$(BIN)/ctc-ocr infer --model train/ocr --labels train/samples/labels.csv train/samples

test: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadgroup

test-slow: .venv/test
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m 'slow and not long'

docs: .venv/docs
	$(BIN)/mkdocs build --strict --site-dir build/docs

bench: .venv/test
	$(BIN)/python -m benchmarks

fuzz: .venv/test
	$(BIN)/python -m fuzz --inputs $(INPUTS)

chaos: .venv/test
	$(BIN)/python -m benchmarks.chaos --kills $(KILLS)

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
