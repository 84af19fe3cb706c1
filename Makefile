# The front door: everything below works in a fresh clone with python3 (3.11 or later) and make.
VENV := .venv
PYTHON := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed

.PHONY: demo test lab-test check bench exactness golden clean

demo: $(INSTALLED)  ## plan VGG-16 and run it on local workers; writes demo/legion-demo.png
	$(VENV)/bin/legion demo --output demo

test: check  ## everything that CI runs
	$(PYTHON) -m pytest -n auto --ignore tests/lab
	$(MAKE) lab-test

lab-test: $(INSTALLED)  ## emulated clusters; most need root, and say so where it is lacking
	$(PYTHON) -m pytest -n auto -rs tests/lab

check: $(INSTALLED)  ## formatting, lint, import contracts, types
	$(VENV)/bin/ruff format --check src tests bench hatch_build.py
	$(VENV)/bin/ruff check src tests bench hatch_build.py
	$(VENV)/bin/lint-imports
	$(VENV)/bin/pyright

bench: $(INSTALLED)  ## overhead, prediction and planning, and the README's tables from all results (about 10 minutes)
	$(PYTHON) -m bench.overhead
	$(PYTHON) -m bench.prediction
	$(PYTHON) -m bench.planning
	$(PYTHON) -m bench.tables

exactness: $(INSTALLED)  ## the full-size matrix of models, policies and worker counts
	$(PYTHON) -m bench.exactness

golden: $(INSTALLED)  ## write the golden files anew, after a deliberate change of plans or matrices
	$(PYTHON) -m pytest tests/golden --write-golden

$(INSTALLED): pyproject.toml constraints.txt hatch_build.py $(wildcard src/legion/search/*.[ch])
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Legion needs Python 3.11 or later as python3"; exit 1; }
	@test -x $(PYTHON) || python3 -m venv $(VENV) || { rm -rf $(VENV); echo "python3 cannot make a virtual environment here; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) demo .pytest_cache .hypothesis .ruff_cache .import_linter_cache
