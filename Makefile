# Footfall's commands; `make help` lists them. They need Python 3.11 or newer, and nothing else.

PORT ?= 8000
DATA_DIR ?= .data
DB ?= postgres
ARGS ?=
# Four processes for two cores, since each waits for part of its time; none for chosen tests.
PARALLEL = $(if $(ARGS),,--numprocesses 4 --dist loadfile --no-loadscope-reorder)

BIN = .venv/bin
INSTALLED = .venv/.installed
DOCS_INSTALLED = .venv/.docs-installed

# A production-like environment, for the checks that read the settings. Nothing connects to it.
CHECKED = env DJANGO_SETTINGS_MODULE=project.settings DJANGO_DEBUG=false DJANGO_HTTPS=true \
	ALLOWED_HOSTS=footfall.example \
	DJANGO_SECRET_KEY=checked-only-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ \
	DATABASE_URL=sqlite://:memory: REDIS_URL=redis://127.0.0.1:6379/0

# With the hashes of PyPI's own files: no setting of this machine has a say in them.
COMPILE = env -u UV_DEFAULT_INDEX -u UV_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL \
	-u UV_FIND_LINKS $(BIN)/uv pip compile pyproject.toml --quiet --no-config --universal \
	--python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	--annotation-style line

.PHONY: help install run test attacks lint format requirements clean bench load faults loss senders wheel matrix foreign docs \
	vulnerabilities

help: ## Show every command with a line on it
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Install everything into .venv

PIP_INSTALL = -m pip install -qq --disable-pip-version-check --require-hashes
# Large, and hardly anything of them is imported. What is, is compiled then.
NOT_COMPILED = /(tests|cfnlint|faker|mpmath|mypyc?|networkx|sympy|pygments/lexers|moto/(?!core|s3)\w+)/

# The file names everything: to look for dependencies would take as long again. uv takes a tenth of
# pip's time, but reads none of its settings: where it cannot reach the packages, pip installs them.
$(INSTALLED): requirements/dev.txt .ci/venv
	@.ci/venv .venv
	@echo "Installing into .venv; this takes about half a minute, once."
	@sed -n '/^uv==/,/[^\\]$$/p' requirements/dev.txt >.venv/uv.txt
	@$(BIN)/python $(PIP_INSTALL) --no-deps --requirement .venv/uv.txt
	@$(BIN)/uv pip install --quiet --python .venv --require-hashes --no-deps \
		--requirement requirements/dev.txt || { echo "With uv it failed; pip tries." && \
		$(BIN)/python $(PIP_INSTALL) --no-deps --no-compile --requirement requirements/dev.txt; }
	@$(BIN)/python -m compileall -qq -j 0 -x '$(NOT_COMPILED)' .venv/lib || true
	@touch $@

run: $(INSTALLED) ## Run the service, stores included (PORT=8000, DATA_DIR=.data); Ctrl-C stops it
	@PORT="$(PORT)" DATA_DIR="$(DATA_DIR)" exec $(BIN)/python -m standalone

# Of all tests on PostgreSQL, where nothing is left out.
MEASURED = $(if $(ARGS),,$(filter postgres,$(DB)))

test: $(INSTALLED) ## Run the tests on real stores (ARGS="-k flush", DB=postgres|mysql|sqlite)
	@rm -f .coverage.*
	@FOOTFALL_TESTS_DB=$(DB) FOOTFALL_TESTS_COVERAGE=$(MEASURED) env -u PYTHONDONTWRITEBYTECODE \
		$(BIN)/python -m pytest $(PARALLEL) $(ARGS)
	@$(if $(MEASURED),$(BIN)/python -m slipcover --merge .coverage.gw*.json --out .coverage.json --fail-under 90)

attacks: $(INSTALLED) ## Attack a running service for 30 s in each way that once stopped it: 7 minutes
	@FOOTFALL_ATTACK_SECONDS=30 $(BIN)/python -m pytest tests/live/test_bodies.py tests/live/test_connections.py $(ARGS)

# Only the bench has them: each is a way to count views that is not Footfall's.
PEERS = $(DATA_DIR)/bench/venv

$(PEERS)/.installed: loadtest/peers/requirements.txt .ci/venv
	@mkdir -p $(DATA_DIR)/bench
	@.ci/venv $(PEERS)
	@$(PEERS)/bin/python $(PIP_INSTALL) --requirement loadtest/peers/requirements.txt
	@touch $@

bench: $(INSTALLED) $(PEERS)/.installed ## Measure Footfall beside other ways to count views: 30 minutes (ARGS=--quick)
	@$(BIN)/python -m loadtest.bench --directory $(DATA_DIR)/bench \
		--peers $(PEERS)/bin/python $(ARGS)

USERS ?= 50
TIME ?= 1m
# An address, or the HOST that `make run` has.
LOADED = $(if $(findstring //,$(HOST)),$(HOST),http://$(or $(HOST),127.0.0.1):$(PORT))

load: $(INSTALLED) ## Read, upload and register for a TIME as so many USERS (HOST=http://127.0.0.1:8000)
	@$(BIN)/python -m loadtest.load --users $(USERS) --time $(TIME) --host $(LOADED) \
		--directory $(DATA_DIR)/load $(ARGS)

# 10 minutes, unless somebody has said TIME.
FAULTS_TIME = $(if $(filter file,$(origin TIME)),10m,$(TIME))

# Sets the clocks of the processes. Only `make faults` has it.
FAKETIME = $(DATA_DIR)/faults/faketime

$(FAKETIME)/.installed: tests/faults/requirements.txt
	@$(BIN)/python $(PIP_INSTALL) --no-deps \
		--upgrade --target $(FAKETIME) --requirement tests/faults/requirements.txt
	@touch $@

faults: $(INSTALLED) $(FAKETIME)/.installed ## Break something every few seconds under load (TIME=10m, SEED=1, PROFILE=cluster, failover)
	@exec $(BIN)/python -m tests.faults --time $(FAULTS_TIME) $(if $(SEED),--seed $(SEED)) \
		$(if $(PROFILE),--profile $(PROFILE)) --directory $(DATA_DIR)/faults $(ARGS)

wheel: $(INSTALLED) ## Build footfall-counters, which counts for other Django projects, into dist/
	@cd wheel && ../$(BIN)/python -m hatchling build --target wheel --directory ../dist

matrix: $(INSTALLED) ## Count with the built wheel under each version of Python, Django, Redis' client: 5 minutes
	@exec $(BIN)/python -m tests.wheel.matrix $(ARGS)

# With a folder of clones, or https://github.com, projects that were written elsewhere are taken.
SOURCE ?=

foreign: $(INSTALLED) ## Count in four projects of others, killed under load: 12 minutes (SOURCE=https://github.com)
	@exec $(BIN)/python -m tests.wheel.foreign $(if $(SOURCE),--source $(SOURCE)) $(ARGS)

# What builds the docs is not among what the service, its tests and its checks need.
$(DOCS_INSTALLED): requirements/docs.txt $(INSTALLED)
	@$(BIN)/python $(PIP_INSTALL) --requirement requirements/docs.txt
	@touch $@

SITE = $(DATA_DIR)/docs

# Offline once that is installed. A warning, such as a link that leads nowhere, is an error.
docs: $(DOCS_INSTALLED) ## Build the docs as a site, into .data/docs
	@$(CHECKED) $(BIN)/python docs/generate.py
	@$(BIN)/python -m sphinx --builder html --fail-on-warning --quiet \
		--doctree-dir $(SITE)/.doctrees docs $(SITE)
	@echo "The site begins at $(SITE)/index.html"

loss: $(INSTALLED) ## Measure what Redis loses of what it acknowledged, per persistence mode: 20 seconds
	@exec $(BIN)/python -m tests.faults.loss $(ARGS)

senders: $(INSTALLED) ## Measure how long honest files wait among 1,000 hostile ones: at most ten minutes
	@exec $(BIN)/python -m tests.faults.senders $(ARGS)

lint: $(INSTALLED) ## Check format, lint, types, floors, migrations and the deployment settings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(CHECKED) $(BIN)/mypy
	$(BIN)/lint-imports
	$(CHECKED) $(BIN)/python manage.py makemigrations --check --dry-run
	$(CHECKED) $(BIN)/python manage.py check --deploy --fail-level WARNING

format: $(INSTALLED) ## Format the code and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

requirements: $(INSTALLED) ## Compile requirements/ from pyproject.toml, and the peers' (ARGS="--upgrade")
	$(COMPILE) --all-extras --output-file requirements/dev.txt $(ARGS)
	$(COMPILE) --constraint requirements/dev.txt --output-file requirements/base.txt
	$(subst pyproject.toml,--group docs,$(COMPILE)) --constraint requirements/dev.txt \
		--output-file requirements/docs.txt $(ARGS)
	$(subst pyproject.toml,loadtest/peers/requirements.in,$(COMPILE)) \
		--output-file loadtest/peers/requirements.txt $(ARGS)

# requirements/vulnerabilities.py exits with 1 for a finding, 3 when it could not look.
vulnerabilities: $(INSTALLED) ## Look for known vulnerabilities in what requirements/ pins; needs the internet
	@$(BIN)/python requirements/vulnerabilities.py $(ARGS)

clean: ## Remove .venv and every cache; the data of `make run` (.data) stays
	rm -rf .venv .coverage.* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
