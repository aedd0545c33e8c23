# Two commands do everything: `make demo` shows vidinfer at work, `make test` proves it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PYTHON

.PHONY: help demo install test check unit test-slow test-models test-ray bench clean

help:
	@echo "make demo       label the sample clip with the bundled model, and write the overlaid video"
	@echo "make test       install what the tests need, check the code, run the default tests"
	@echo "make test-slow  the tests that take long or much memory"
	@echo "make test-models  every builder of torchvision against torchvision itself"
	@echo "make test-ray   archives on Ray: installs it, starts clusters on this machine, kills parts of them"
	@echo "make check      formatting, lint and types only"
	@echo "make bench      the benchmarks of benchmarks/README.md"
	@echo "make clean      remove the environment and everything made"

demo: $(VENV)/.installed
	$(BIN)/vidinfer sample_media/traffic.mp4 --model demo --video --overwrite --out demo-out
	@echo
	@echo "Labels, one JSON object per frame:   demo-out/traffic.labels.jsonl"
	@echo "The video with the boxes drawn:      demo-out/traffic.annotated.mp4"
	@echo "What was done, and every frame's fate: demo-out/traffic.run.json"

install: $(VENV)/.installed

$(BIN)/python:
	scripts/system-packages.sh venv
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "vidinfer needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml scripts/system-packages.sh | $(BIN)/python
	scripts/system-packages.sh opencv
	@echo "installing vidinfer and what it needs (torch is large: this takes a few minutes)"
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-test: pyproject.toml scripts/system-packages.sh | $(VENV)/.installed
	scripts/system-packages.sh ffprobe chromium rtsp gcc
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[test,dev]'
	@touch $@

check: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Tests of live streams mostly wait for a clock: four at a time take a quarter of it.
WAITING = tests/live tests/sink_live tests/preview

# The others compute, one on each core. Not beside those that wait: cameras and their clocks would be late.
unit: $(VENV)/.installed-test
	$(BIN)/python -m pytest -q -m "not slow and not models and not ray" -n logical --dist worksteal $(patsubst %,--ignore=%,$(WAITING))
	$(BIN)/python -m pytest -q -m "not slow and not models and not ray" -n 4 --dist worksteal $(WAITING)

test: check unit

test-slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest -q -m "slow and not ray"

test-models: $(VENV)/.installed-test
	$(BIN)/python -m pytest -q -m models -o faulthandler_timeout=900

$(VENV)/.installed-ray: $(VENV)/.installed-test
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[ray]'
	@touch $@

test-ray: $(VENV)/.installed-ray
	$(BIN)/python -m pytest -q -m ray

bench: $(VENV)/.installed-test
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist *.egg-info demo-out .pytest_cache .mypy_cache .ruff_cache .hypothesis
