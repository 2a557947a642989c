# Two commands on a fresh machine: `make report` and `make test`. Each sets up .venv first.
PYTHON ?= python3
BIN := .venv/bin
SAMPLE ?= data/alerts/fileless_execution.jsonl

.PHONY: report test check lab lock notebooks bench clean
report: .venv/ready
	$(BIN)/falco-casebook report $(SAMPLE) --out reports

# side by side, each file in one process; make test TESTERS=0 for one after the other
TESTERS ?= 2
test: check
	$(BIN)/pytest -n $(TESTERS) --dist loadfile

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lab: .venv/ready
	$(BIN)/jupyter lab --notebook-dir=notebooks

# uv itself comes from the lock too, so that every byte installed is pinned by hash
.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	$(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# ours and the peers side by side: make bench N=1000000 ROUNDS=3
# BENCH_PEERS names the python of a venv with msticpy and networkx (msticpy needs pandas < 3)
N ?= 1000000
ROUNDS ?= 3
bench: .venv/ready
	$(BIN)/python -m tests.benchmarks $(N) $(ROUNDS)
	$(BIN)/python -m tests.benchmarks.desk 100000

# the one command that makes requirements.lock anew, after a change of pyproject.toml
lock:
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
	  --quiet --output-file requirements.lock

# writes the outputs that nbval compares anew, after a change of what a notebook shows
notebooks: .venv/ready
	$(BIN)/jupyter execute --inplace notebooks/*.ipynb
	$(BIN)/nbstripout --keep-count notebooks/*.ipynb

clean:
	rm -rf .venv reports
