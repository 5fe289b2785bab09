# Everything a contributor runs. `make dev` and `make test` set up .venv by themselves.
# ARGS="…" is passed on: make dev ARGS="--port 4000", make test ARGS="-k lifecycle".

ARGS  ?=
VENV  := .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.jobcast-ready
RUNS  := $(VENV)/.jobcast-runs
# What runs Jobcast is there in half the time of all that a contributor needs.
START := $(if $(wildcard $(READY)),$(READY),$(RUNS))
DOCS  := .docs
SITE  := $(DOCS)/.jobcast-ready
CLIENTS := tests/e2e/node/node_modules/.jobcast-ready

# uv, where there is one that works; else python3 -m venv and pip.
UV ?= $(shell uv --version >/dev/null 2>&1 && command -v uv)
export UV

# Dozens of processes start in the tests: they compile nothing twice, whatever the shell says.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help dev worker cluster test cov lint audit type-check verify-types format types client build lock clean
.PHONY: chaos sabotage fuzz autobahn deploy-check docs docs-serve reference
.PHONY: bench bench-queue bench-gateway

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

dev: $(START) ## run it: gateway, worker and page in one process, on SQLite
	@exec $(BIN)/jobcast dev $(ARGS)

worker: $(START) ## run one more worker, on DATABASE_URL and REDIS_URL
	@exec $(BIN)/jobcast worker $(or $(ARGS),jobcast.starter:app)

cluster: $(READY) ## PostgreSQL, Redis, two gateways and two workers on this machine, to try things
	@exec $(BIN)/python -m tests.support.cluster $(ARGS)

chaos: $(READY) ## the long chaos trial: 20,000 jobs, every fault three times
	@$(BIN)/python -m tests.chaos $(ARGS)

sabotage: $(READY) ## plant faults one at a time: each must turn the tests red
	@$(BIN)/python -m tests.chaos.sabotage $(ARGS)

fuzz: $(READY) ## attack real servers: HTTP by its OpenAPI, the socket by broken frames
	@$(BIN)/python -m tests.fuzz $(ARGS)

autobahn: $(READY) ## Autobahn's WebSocket test suite (needs a Python 2.7)
	@$(BIN)/python -m tests.autobahn.trial $(ARGS)

deploy-check: $(READY) ## Dockerfile, compose, nginx, Kubernetes, systemd: linted, and run without containers
	@$(BIN)/python -m tests.deploy $(ARGS)

# In the order of their names, so that the long ones, which start processes, come first.
test: $(READY) $(CLIENTS) ## run the tests, on every core
	@$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

cov: $(READY) $(CLIENTS) ## run the tests and measure the branches they take
	@$(BIN)/pytest -n auto --cov --cov-report=term $(ARGS)

lint: $(READY) ## ruff, mypy, the import rules, and what is installed against what is locked
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python .ci/dependencies.py requirements/dev.txt

audit: $(READY) ## known vulnerabilities of what we ship (needs uv and an advisory service)
	@test -n "$(UV)" || { echo "make audit needs uv: install it and run make audit again."; exit 1; }
	$(UV) tool run pip-audit --require-hashes --disable-pip -r requirements/runtime.txt $(ARGS)

type-check: $(READY) ## mypy alone
	$(BIN)/mypy $(ARGS)

# The modules whose names users import, `jobcast` itself by where its names come from.
verify-types: $(READY) ## whether pyright knows every type of the package (needs npx)
	@command -v npx >/dev/null || { echo "make verify-types needs npx (Node 20 or newer)."; exit 1; }
	PATH="$(CURDIR)/$(BIN):$$PATH" npx --yes pyright@1.1.411 --ignoreexternal --verifytypes jobcast $(ARGS)

format: $(READY) ## let ruff sort the imports and lay out the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(READY) ## write the TypeScript types of the socket's messages
	@$(BIN)/python -c "from jobcast.wire.typescript import render; print(render(), end='')" > clients/js/types.d.ts

client: $(READY) ## write the blocking twin of the Python client
	@$(BIN)/python -m tests.support.sync_client

reference: $(READY) ## write docs/reference anew from the code
	@$(BIN)/python -m tools.reference

docs: $(SITE) ## build the documentation's site in site/
	@$(DOCS)/bin/zensical build --clean --strict $(ARGS)

docs-serve: $(SITE) ## show the documentation while it is written
	@$(DOCS)/bin/zensical serve $(ARGS)

build: $(READY) ## make the wheel and the source archive in dist/
	$(BIN)/python -m build --no-isolation $(ARGS)

bench: $(READY) ## measure one process on this machine
	@$(BIN)/python -m bench.embedded $(ARGS)

bench-queue: $(READY) ## measure the queue beside its peers, about ten minutes
	@$(BIN)/python bench/queue.py $(ARGS)

bench-gateway: $(READY) ## measure the sockets of one gateway, beside its peers
	@npm ci --prefix bench/gateways/node --no-fund --no-audit --loglevel=error
	@$(BIN)/python bench/gateway.py $(ARGS)

# Exact versions with hashes, for every platform; ARGS=--upgrade takes newer ones.
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock" $(ARGS)

lock: ## compile requirements/ anew from pyproject.toml (needs uv)
	@test -n "$(UV)" || { echo "make lock needs uv: install it and run make lock again."; exit 1; }
	$(COMPILE) pyproject.toml --extra starter --extra otel --group dev -o requirements/dev.txt
	$(COMPILE) pyproject.toml --extra starter --extra otel --constraint requirements/dev.txt \
		-o requirements/runtime.txt
	$(COMPILE) pyproject.toml --extra starter --group run --constraint requirements/dev.txt \
		-o requirements/run.txt
	$(COMPILE) requirements/bench.in -o requirements/bench.txt
	$(COMPILE) requirements/deploy.in -o requirements/deploy.txt
	$(COMPILE) requirements/docs.in -o requirements/docs.txt

clean: ## remove what was made, .venv included; .jobcast (your data) stays
	rm -rf $(VENV) $(DOCS) site dist build htmlcov .coverage .coverage.* coverage.xml
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# Clients that are not ours, for tests/e2e.
$(CLIENTS): tests/e2e/node/package.json tests/e2e/node/package-lock.json
	@command -v npm >/dev/null || { echo "The tests need npm (Node 20 or newer): install it."; exit 1; }
	@npm ci --prefix tests/e2e/node --no-fund --no-audit --loglevel=error
	@touch $@

# The site has an environment of its own, made with the Python of ours.
$(SITE): $(READY) requirements/docs.txt
	@set -e; echo "Setting up $(DOCS) …"; \
	if [ -n "$$UV" ]; then "$$UV" venv --quiet --clear --python $(BIN)/python $(DOCS); \
	  pip="$$UV pip install --quiet --compile-bytecode --python $(DOCS)/bin/python"; \
	else $(BIN)/python -m venv --clear $(DOCS); \
	  pip="$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check"; \
	fi; \
	$$pip --no-deps --require-hashes -r requirements/docs.txt; \
	touch $@

# The list is whole, so nothing is resolved: older pips can't, where one package asks for another's
# extra and versions are pinned with hashes. The stamp comes last, so a set-up that was broken off
# is done again.
$(READY): LIST := requirements/dev.txt
$(RUNS): LIST := requirements/run.txt
$(READY) $(RUNS): requirements/dev.txt requirements/run.txt pyproject.toml
	@set -e; \
	if [ ! -x $(BIN)/python ]; then \
	  found=; \
	  for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	    if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	        >/dev/null 2>&1; then found=$$python; break; fi; \
	  done; \
	  if [ -n "$$UV" ]; then "$$UV" venv --quiet --python "$${found:->=3.11}" $(VENV); \
	  elif [ -n "$$found" ]; then "$$found" -m venv $(VENV); \
	  else \
	    echo "Jobcast needs Python 3.11 or newer with its venv module (on Debian and Ubuntu:" \
	         "apt install python3 python3-venv): install it and run make again." >&2; exit 1; \
	  fi; \
	fi; \
	echo "Setting up $(VENV) …"; \
	if [ -n "$$UV" ]; then pip="$$UV pip install --quiet --compile-bytecode --python $(BIN)/python"; \
	else \
	  $(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null; \
	  pip="$(BIN)/python -m pip install --quiet --disable-pip-version-check"; \
	fi; \
	$$pip --no-deps --require-hashes -r $(LIST); \
	$$pip --no-deps --no-build-isolation --editable .; \
	touch $@
