# Every target sets up first when needed; `make setup` alone is quick when there is nothing to do.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PROTO_FILES := $(wildcard protos/tui_manager_protos/v1/*.proto)
PYPROJECTS := pyproject.toml agent/pyproject.toml protos/pyproject.toml
AGENTS ?= 3
MINUTES ?= 30
RUNS ?= 200
SEED ?=
FILE ?= tui-manager-agent.bundle
FAULTS_DATABASE ?= sqlite
FAULTS_MANAGERS ?= 1
FAULTS_TLS ?=
FAULTS_PROCESSES ?= 1
PACKAGE ?=
BUNDLE ?=
RELEASE ?= 1
# More processes than cores, as many tests wait for the programs that they have started.
WORKERS ?= $(shell expr 3 \* $$(getconf _NPROCESSORS_ONLN))
PYTEST = PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --processes $(WORKERS)

.PHONY: setup demo test test-all repeats test-fast lab faults monkey lint format protos check-protos docs screenshots bench \
	bench-quick bench-managers bench-peers bundle soak lock dist man packages clean

setup: $(READY)

$(READY): requirements.lock $(PYPROJECTS)
	@$(PYTHON) tools/check_python.py
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e protos -e agent -e .
	@touch $@

demo: setup
	@$(BIN)/tui-manager demo --agents $(AGENTS)

test: setup
	$(PYTEST)

# The same with all examples of what is random, and all tests of the database on PostgreSQL.
test-all: setup
	TESTS_ALL=1 $(PYTEST)

# Finds out which tests of the database execute nothing of PostgreSQL's engine that others do not.
repeats: setup
	@$(BIN)/python -m tests.support.databases.postgresql_repeats --processes $(WORKERS)

# The tests of what differs from main, or of PACKAGE, e.g. `make test-fast PACKAGE=ui/forms`,
# without those that take long.
test-fast: setup
	@tests=$$($(BIN)/python tools/tests_of_change.py $(PACKAGE)) && \
	if test -n "$$tests"; then $(PYTEST) -m "not long" $$tests; else echo "Nothing differs from main."; fi

# What the hosts of tests/lab need: programs, and the root of a minimal Debian without Python, kept in
# the user's cache folder. And zsh, fish and Prometheus, which other tests drive. It needs root, a
# Debian and its package sources.
lab:
	@$(PYTHON) -m tests.lab.prepare

# The long run of tests/faults, as random as SEED; ends with the table of docs/survives.md. With
# FAULTS_DATABASE=postgresql on PostgreSQL, and with faults of its server; there with
# FAULTS_MANAGERS=3 each fleet has three managers, and there are faults of these. FAULTS_TLS=1 uses
# TLS. FAULTS_PROCESSES share the runs.
faults: setup
	@FAULTS_DATABASE=$(FAULTS_DATABASE) FAULTS_MANAGERS=$(FAULTS_MANAGERS) FAULTS_TLS=$(FAULTS_TLS) $(BIN)/python -m tests.faults --seed "$(SEED)" --runs $(RUNS) \
		--processes $(FAULTS_PROCESSES)

# Random input for the real program in a terminal, with a real manager and real agents. What is
# random comes from SEED.
monkey: setup
	@$(BIN)/python -m tests.monkey --seed "$(SEED)" --minutes $(MINUTES)

lint: setup check-protos
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

protos: setup
	$(BIN)/python tools/make_protos.py protos

# The committed code must be what the .proto files make.
check-protos: setup
	@$(BIN)/python tools/make_protos.py --check protos

# The manual as a site, without a network: docs/_build/index.html. A broken link, a missing picture
# or a page that no other names ends it with an error.
docs: setup
	$(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --fresh-env --quiet docs docs/_build

# Wheels and source archives of all three distributions, without a network.
dist: setup
	@$(BIN)/python tools/make_dist.py dist

# The man pages of both programs, which the wheels have too: man -l dist/man1/tui-manager.1
man: setup
	@$(BIN)/python tools/make_man_pages.py dist/man1

# The packages of the agent, deb and rpm, in dist/. BUNDLE is what they are made of; without it, one is
# made. A higher RELEASE tells a newer package of the same version.
packages: setup
	@$(BIN)/python tools/make_packages.py dist --release $(RELEASE) $(if $(BUNDLE),--bundle $(BUNDLE))

screenshots: setup
	$(BIN)/python screenshots/make.py
	$(BIN)/python screenshots/export_page.py

# The budgets of the design, measured; under a quarter of an hour. bench/README.md says what each
# figure means. `make bench-quick` is small, and takes under two minutes.
bench: setup
	@$(BIN)/python -m bench

bench-quick: setup
	@$(BIN)/python -m bench --quick

# Several managers on one database: one killed, 1 to 4 of them, as many agents as there can be.
bench-managers: setup
	@$(BIN)/python -m bench.managers

# clush, pdsh, parallel-ssh, Ansible and Salt beside ours, each in an environment of its own.
bench-peers: setup
	@PYTHON=$(PYTHON) bench/peers/setup.sh .peers
	@$(BIN)/python -m bench.peers

# An agent with its own Python in one file, signed with the key of this user.
bundle: setup
	@$(BIN)/tui-manager agent bundle $(FILE)

# Emulated agents, constant tasks and faults; draws docs/soak.svg. SEED repeats a run.
soak: setup
	$(BIN)/python -m bench.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

# For all supported Pythons and platforms, with hashes, without index addresses.
lock:
	@test -x .lock-venv/bin/uv || { $(PYTHON) -m venv .lock-venv && .lock-venv/bin/pip install --quiet uv; }
	.lock-venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-annotate \
		--no-emit-package tui-manager --no-emit-package tui-manager-agent \
		--no-emit-package tui-manager-protos \
		--custom-compile-command "make lock" \
		--output-file requirements.lock \
		--extra bundle --extra demo --extra nats --extra postgresql pyproject.toml --group dev

clean:
	rm -rf $(VENV) .lock-venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
