# make train [ARGS="--dataset digits"]   set up .venv if needed, then train
# make web [ARGS="RUN_DIR --port 8001"]  write the page of a run (the newest in runs/) and serve it
# make test                              set up the test tools, then run everything CI runs
# make torture                           kill, damage, forge, fill disks: the table of what failed
# make docs                              build the site in build/docs, its gallery run anew
# make bench                             set up the peers too, then measure speed beside them
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PAGE := export/web
PACKAGES := $(PAGE)/node_modules/.installed

.PHONY: train web test torture docs bench lint browser radio clean

train: $(VENV)/.installed
	$(BIN)/python train.py $(ARGS)

web: $(VENV)/.installed $(PACKAGES)
	$(BIN)/python -m export.web $(ARGS)

test: $(VENV)/.installed-test lint browser radio
	TF_NUM_INTRAOP_THREADS=1 $(BIN)/python -m pytest -n logical --dist loadfile --no-loadscope-reorder $(ARGS)

torture: $(VENV)/.installed-test
	$(BIN)/python tests/torture --jobs 2 $(ARGS)

# A warning is an error, and so is a claim of an example that does not hold.
docs: $(VENV)/.installed-docs
	ARN_KERAS_SHORT=1 $(BIN)/sphinx-build -W --keep-going -E -b html docs build/docs

bench: $(VENV)/.installed-bench
	for name in startup train_speed sweep_speed scaling edge_latency keyed_latency kills; do \
		$(BIN)/python benchmarks/$$name.py || exit 1; \
	done

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# What the page's test needs, where this machine can get it. Where not, that test says so.
browser:
	@if command -v npm > /dev/null; then $(MAKE) --no-print-directory $(PACKAGES) || true; fi
	@if ! command -v chromium > /dev/null && command -v apt-get > /dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install \
	    --no-install-recommends chromium fonts-dejavu-core > /dev/null || true; \
	fi

# GNU Radio, the air of a test, where this machine can get it: 120 MB, two minutes, no window.
radio:
	@if ! /usr/bin/python3 -c "from gnuradio import channels" 2> /dev/null \
	  && command -v apt-get > /dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install \
	    --no-install-recommends gnuradio > /dev/null || true; \
	fi

$(PACKAGES): $(PAGE)/package.json $(PAGE)/package-lock.json
	cd $(PAGE) && npm ci --ignore-scripts
	touch $@

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

$(VENV)/.installed-docs: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[docs,test]" --constraint constraints.txt
	touch $@ $(VENV)/.installed $(VENV)/.installed-test

clean:
	rm -rf $(VENV) $(PAGE)/node_modules build dist *.egg-info
