# `make demo` and `make test` set up what is missing, in a virtual environment of their own, and are quick the second time.

VENV ?= .venv
BIN := $(VENV)/bin
# The first of these that is 3.11 or newer; PYTHON=… chooses another.
PYTHON ?= $(shell for name in python3.11 python3 python3.12 python3.13 python; do \
	"$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo "$$name" && break; done)
INSTALLED := $(VENV)/.installed
# The peers of the benchmarks are installed only where they are measured, so that `make test` stays light.
BENCH_INSTALLED := $(VENV)/.installed-bench
DEMO_REPORT := out/demo.html

SEEDS ?= 10000

VAULT ?= out/multiverse.sqlite
PORT ?= 8000

.PHONY: demo serve test lint tests bench soak endurance mutations losses clean help compiled

help:
	@echo "make demo   three realms on Ray, 60 control ticks, and a report in $(DEMO_REPORT)"
	@echo "make serve  a multiverse over HTTP on port $(PORT) of this machine; its key is shown the first time"
	@echo "make test   style, types and all tests"
	@echo "make bench  the City beside Mesa, lockstep beside HELICS, mosaik, xoscar, Ray and ZeroMQ, PHOLD, recovery, real time, history, sweeps"
	@echo "make losses nodes, the control plane and the power are lost, on a Ray of the tests' own; five minutes"
	@echo "make soak   SEEDS=10000: as many simulated runs in which everything goes wrong"
	@echo "make endurance  500 processes killed, an hour in real time, a million idle control ticks"
	@echo "make mutations  whether the simulation notices faults put into the code on purpose"
	@echo "make clean  removes the virtual environment and what was made"

demo: compiled
	@mkdir -p out
	@$(BIN)/soulfra simulate --games 3 --control-ticks 60 --realtime --local-tick-ms 10 --report $(DEMO_REPORT)

serve: compiled
	@mkdir -p out
	@$(BIN)/python -m serve --vault $(VAULT) --port $(PORT)

test: lint tests

lint: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

tests: compiled
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup $(TESTS)

bench: $(BENCH_INSTALLED) compiled
	@mkdir -p out
	@$(BIN)/python -m benchmarks.city --json out/bench_city.json
	@$(BIN)/python -m benchmarks.lockstep --json out/bench_lockstep.json
	@$(BIN)/python -m benchmarks.costs --json out/bench_costs.json
	@$(BIN)/python -m benchmarks.phold --json out/bench_phold.json
	@$(BIN)/python -m benchmarks.recovery --json out/bench_recovery.json
	@$(BIN)/python -m benchmarks.realtime --json out/bench_realtime.json
	@$(BIN)/python -m benchmarks.capacity --json out/bench_capacity.json
	@$(BIN)/python -m benchmarks.history --json out/bench_history.json
	@$(BIN)/python -m benchmarks.sweeps --json out/bench_sweeps.json
	@$(BIN)/python -m benchmarks.forks --json out/bench_forks.json
	@$(BIN)/python -m benchmarks.gods --json out/bench_gods.json

losses: compiled
	@$(BIN)/python -m pytest -m soak $(TESTS)

soak: $(INSTALLED)
	@$(BIN)/python -m tests.simulation soak --seeds $(SEEDS)
	@$(BIN)/python -m tests.simulation soak --clocks --seeds $(SEEDS)

# A host is a process of its own: where Python may not write bytecode (PYTHONDONTWRITEBYTECODE), each would compile all of it
# again, a third of what it takes to import. What is up to date is passed over.
compiled: $(INSTALLED)
	@$(BIN)/python -m compileall -q actors orchestration serve

# Long ones: 500 deaths, an hour in real time, a million idle control ticks.
endurance: $(INSTALLED)
	@mkdir -p out
	@$(BIN)/python -m benchmarks.recovery --kills 250 --pause 0.15,0.6 --json out/endurance_recovery.json
	@$(BIN)/python -m benchmarks.realtime --seconds 3600 --json out/endurance_realtime.json
	@$(BIN)/python -m benchmarks.idle --json out/endurance_idle.json

mutations: $(INSTALLED)
	@$(BIN)/python -m tests.simulation mutations

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "soulfra needs Python 3.11, 3.12 or 3.13; none was found. Name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version), a minute the first time"
	@$(PYTHON) -m venv $(VENV) || { echo "python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[mesa,parquet,postgres,dev]'
	@touch $@

$(BENCH_INSTALLED): $(INSTALLED)
	@echo "adding the peers of the benchmarks to $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[mesa,parquet,dev,bench]'
	@touch $@

clean:
	rm -rf $(VENV) out .mypy_cache .pytest_cache .ruff_cache .hypothesis
