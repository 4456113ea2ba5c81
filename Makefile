# make train: a model that reads captchas, from nothing.   make test: ruff, mypy and the whole suite.
PYTHON ?= python3
TARGET ?= 0.99
BIN := .venv/bin

.PHONY: train test bench clean
.DELETE_ON_ERROR:

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' || { \
		echo "$$($(PYTHON) --version) is not supported: use Python 3.10, 3.11 or 3.12 (make PYTHON=python3.12 ...)" >&2; exit 2; }
	@rm -rf .venv
	$(PYTHON) -m venv .venv || { echo "is the venv module installed? On Debian: apt-get install python3-venv" >&2; rm -rf .venv; exit 2; }

.venv/cpu: setup.py .venv/bin/python
	$(BIN)/python -m pip install --quiet -e '.[cpu]'
	@touch $@

.venv/test: setup.py .venv/bin/python
	$(BIN)/python -m pip install --quiet -e '.[test]'
	@touch $@ .venv/cpu

train: .venv/cpu
	$(BIN)/lstm_ocr_train --prefix train/ocr --overwrite --target_accuracy $(TARGET) fonts/Ubuntu-M.ttf
	$(BIN)/captcha_generator --count 8 --output_dir train/samples --overwrite fonts/Ubuntu-M.ttf
	$(BIN)/lstm_ocr_infer --prefix train/ocr --labels train/samples/labels.csv train/samples

test: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

bench: .venv/test
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache
