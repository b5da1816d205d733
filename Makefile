# make train [ARGS="--dataset digits"]   set up .venv if needed, then train
# make test                              set up the test tools, then run everything CI runs
# make bench                             set up the peers too, then measure speed beside them
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: train test bench lint clean

train: $(VENV)/.installed
	$(BIN)/python train.py $(ARGS)

test: $(VENV)/.installed-test lint
	TF_NUM_INTRAOP_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

bench: $(VENV)/.installed-bench
	for name in startup train_speed sweep_speed scaling edge_latency; do \
		$(BIN)/python benchmarks/$$name.py || exit 1; \
	done

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable . --constraint constraints.txt
	touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[test]" --constraint constraints.txt
	touch $@ $(VENV)/.installed

$(VENV)/.installed-bench: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[bench,test]" --constraint constraints.txt
	touch $@ $(VENV)/.installed $(VENV)/.installed-test

clean:
	rm -rf $(VENV) build dist *.egg-info
