# Two commands do all set-up: `make run` and `make test`. `make help` lists the rest.

PYTHON ?= python3
VENV ?= .venv
SOURCE ?= sample
PORT ?= 4200
ARGS ?=
# Three files of tests at a time for two cores, since they also wait; nproc would answer OMP_NUM_THREADS, which is set below.
# `make test WORKERS=` runs one after the other.
WORKERS ?= --numprocesses $$(($$(getconf _NPROCESSORS_ONLN) * 3 / 2)) --dist loadfile --no-loadscope-reorder
# The controller's environment is apart: Ansible takes 500 MB that neither `make run` nor `make test` needs.
DEPLOY_VENV ?= .venv-deploy
BIN := $(VENV)/bin
DEPLOY_BIN := $(CURDIR)/$(DEPLOY_VENV)/bin
UV := $(BIN)/uv
# Threads cost more than they give on a small host: a fit was seen 40x slower with the default on two busy cores.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup run up down test check unit integration smoke bench lock docs format package lint-ansible provision deploy rollback restore test-vps prove-vps clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.dev ## make the environment with the development tools

run: $(VENV)/.runtime ## the whole day: SOURCE=sample (default) or live, ARGS="--as-of ..."
	@$(BIN)/portfolio run --source $(SOURCE) $(ARGS)

up: $(VENV)/.runtime ## the daemon in the background, with Prefect's UI: SOURCE=sample (default) or live, PORT=4200
	@$(BIN)/python -m flows.daemon up --source $(SOURCE) --port $(PORT)

down: $(VENV)/.runtime ## end the daemon of that SOURCE; running flows finish first
	@$(BIN)/python -m flows.daemon down --source $(SOURCE)

test: check $(VENV)/.dev ## check, then every test with coverage
	$(BIN)/python -m pytest $(WORKERS) tests/integration tests/unit tests/smoke --cov --cov-report=term --cov-report=xml

check: $(VENV)/.dev ## lint, format, types, security
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyrefly check --summary=none
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml portfolio flows

unit: $(VENV)/.dev ## the unit tests alone
	$(BIN)/python -m pytest tests/unit

integration: $(VENV)/.dev ## the integration tests alone
	$(BIN)/python -m pytest tests/integration

smoke: $(VENV)/.dev ## the smoke tests alone
	$(BIN)/python -m pytest tests/smoke

bench: $(VENV)/.runtime ## where the time and memory of a day go
	$(BIN)/python -m bench.day
	$(BIN)/python -m bench.live

docs: $(VENV)/.dev ## write .env.example and docs/ENVIRONMENT.md from the settings, and the roles' tables of variables
	$(BIN)/python -m portfolio.settings_docs
	$(BIN)/python ansible/role_tables.py

format: $(VENV)/.dev ## format and mend what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(VENV)/.dev ## resolve the hash-locked requirements anew, for the oldest Python supported
	$(UV) $(COMPILE) --group bootstrap -o requirements/bootstrap.txt
	$(UV) $(COMPILE) --group build pyproject.toml -o requirements/runtime.txt
	$(UV) $(COMPILE) --group installer -o requirements/installer.txt
	$(UV) $(COMPILE) --group server -c requirements/runtime.txt -o requirements/prefect-server.txt
	$(UV) $(COMPILE) --group deploy -o requirements/deploy.txt
	$(UV) $(COMPILE) --group build --group dev -c requirements/runtime.txt pyproject.toml -o requirements/dev.txt

COMPILE := pip compile --quiet --universal --python-version 3.11.2 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-annotate --custom-compile-command "make lock"

package: $(VENV)/.dev ## a release for the host, its server's environment and the release tool, into dist/: VERSION=0.4.1, ALLOW_DIRTY=1
	@$(BIN)/python -m artefact $(if $(VERSION),--version $(VERSION)) $(if $(ALLOW_DIRTY),--allow-dirty)

lint-ansible: $(DEPLOY_VENV)/.done ## the playbooks and roles, under the linter's strictest profile
	cd ansible && PATH="$(DEPLOY_BIN):$$PATH" ansible-lint --offline --profile production --strict

provision: $(DEPLOY_VENV)/.done package ## a bare Debian 12 becomes a host: INVENTORY=staging (default), production or test, HOST=address
	cd ansible && $(ANSIBLE) site.yml

deploy: $(DEPLOY_VENV)/.done ## install a release and switch to it: VERSION=, INVENTORY=, HOST=, EXPECT_SIGNAL_CHANGE="reason", ACCEPT_NO_ROLLBACK=1
	cd ansible && $(ANSIBLE) deploy.yml

rollback: $(DEPLOY_VENV)/.done ## back to the release before: INVENTORY=, HOST=
	cd ansible && $(ANSIBLE) rollback.yml

restore: $(DEPLOY_VENV)/.done ## a backup becomes the store: BACKUP=, INVENTORY=, HOST=, FORCE=1
	cd ansible && $(ANSIBLE) restore.yml

INVENTORY ?= staging
ANSIBLE = PATH="$(DEPLOY_BIN):$$PATH" ansible-playbook --inventory inventories/$(INVENTORY)
# A folder is meant from where make was typed, and the playbooks run elsewhere.
ifneq ($(wildcard $(BACKUP)/manifest.json),)
override BACKUP := $(abspath $(BACKUP))
endif
# Read by the playbooks from the environment.
export VERSION HOST EXPECT_SIGNAL_CHANGE ACCEPT_NO_ROLLBACK BACKUP FORCE

test-vps: ## the installation, proven on a Debian 12 machine that is booted here; needs root
	@$(PYTHON) -m tests.support.machine prerequisites
	@$(MAKE) --no-print-directory vps-scenario VPS_PROOF=short

prove-vps: ## the same with all that takes long: ten switches, a kill at each step, every bad release, Lynis
	@$(PYTHON) -m tests.support.machine prerequisites
	@$(MAKE) --no-print-directory vps-scenario VPS_PROOF=full

# Two versions of this commit, and releases with one thing wrong each.
.PHONY: vps-scenario
vps-scenario: $(VENV)/.dev $(DEPLOY_VENV)/.done
	@$(BIN)/python -m tests.support.vps_artefacts --proof $(VPS_PROOF) $(if $(ALLOW_DIRTY),--allow-dirty)
	@rm -f build/machine/*-figures.jsonl
	cd ansible && PATH="$(DEPLOY_BIN):$$PATH" VPS_PROOF=$(VPS_PROOF) MOLECULE_EPHEMERAL_DIRECTORY=$(CURDIR)/build/molecule-$(or $(VPS_NAME),pf-vps) molecule test
	@$(PYTHON) -m tests.support.machine proven
	@rm -f dist/portfolio-9.*+*.tar

clean: ## remove what make made, except data and backups
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .coverage .coverage.* coverage.xml htmlcov
	find portfolio flows tests bench -name __pycache__ -type d -exec rm -rf {} +

$(UV): requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11, 2) <= sys.version_info[:3] < (3, 14))' || \
		{ echo "FinancePortfolio needs Python 3.11.2 to 3.13; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.11"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(MAKE) --no-print-directory venv-module
	@echo "Setting up $(VENV), once: about 140 packages, 700 MB on disk."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $(UV)

# Debian and Ubuntu ship Python without a part of its venv module.
.PHONY: venv-module
venv-module:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing python3-venv, which Debian leaves out of python3."; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null; \
	else \
		echo "Python's venv module is not complete. On Debian or Ubuntu: sudo apt-get install python3-venv. Then run make again."; \
		exit 2; \
	fi

$(VENV)/.runtime: $(UV) requirements/runtime.txt pyproject.toml
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/runtime.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(DEPLOY_VENV)/.done: $(UV) requirements/deploy.txt
	@echo "Setting up $(DEPLOY_VENV), once: Ansible, 500 MB on disk."
	@$(PYTHON) -m venv $(DEPLOY_VENV) || { rm -rf $(DEPLOY_VENV); exit 2; }
	@$(UV) pip install --quiet --compile-bytecode --python $(DEPLOY_BIN)/python --require-hashes -r requirements/deploy.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@
