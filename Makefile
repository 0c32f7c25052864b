# Two commands to begin with: `make demo` and `make test`. Both make the environment first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-slow test-faults mutants lint bench docs viewer screenshots environment clean

environment: $(READY)

# torch comes first and pinned, so that a CPU build that pip can find is taken and kept.
$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

demo: $(READY)
	$(BIN)/sanum demo --out demo-output

# One thread a process: more of them wait for each other and burn processor time.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile -m "not slow and not faults" --durations=10

test-slow: $(READY)
	$(BIN)/python -m pytest -m "slow and not faults"

# Eight minutes, most of them waiting; needs PostgreSQL and the right to mount a disk.
test-faults: $(READY)
	$(BIN)/python -m pytest -m faults

# Hours on one core; a run that was stopped goes on where it was. See docs/mutation.md.
mutants: $(READY)
	$(BIN)/python -m pip install --quiet 'mutmut>=3.8'
	nice -n 19 $(BIN)/mutmut run --max-children 1
	$(BIN)/mutmut results

lint: $(READY)
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

# The gallery comes from a real run on made subjects, about two minutes on two cores; the tutorials are run as well, five minutes.
docs: $(READY)
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	$(BIN)/python docs/make_reports.py
	$(BIN)/python docs/make_reference.py
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs

bench: $(READY)
	$(BIN)/python -m benchmarks.train_speed
	$(BIN)/python -m benchmarks.prepare_speed $(SCANS)
	$(BIN)/python -m benchmarks.store_open
	$(BIN)/python -m benchmarks.service_load $(if $(MODEL),--model $(MODEL))

viewer:
	cd viewer && npm install && npm run build

# The viewer's pictures in docs/images, from the tests that drive it in Chromium.
screenshots: $(READY)
	SANUM_SCREENSHOTS=docs/images $(BIN)/python -m pytest tests/service/test_viewer.py tests/service/test_viewer_pairs.py -m browser

clean:
	rm -rf $(VENV) demo-output
