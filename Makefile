# Each target works on a fresh machine that has Python 3.11 or newer, and takes seconds the second time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PLOTLY_JS_VERSION := 4.1.1
STATIC := dpdash/web/static

.DEFAULT_GOAL := help
.PHONY: help run serve test check bench soak mutants screenshots icons figures messages vendor clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run ## Install and start the dashboard
	@$(BIN)/streamlit run app.py

serve: $(VENV)/.run ## Install and serve everybody on this network, for a workshop
	@$(BIN)/python -m dpdash serve

test: $(VENV)/.dev browser ## Install and run the tests; of those that take long, a selection
	@$(BIN)/pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder -m "not long"

check: $(VENV)/.dev ## Formatting, lint, types, who may import whom, and known vulnerabilities
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.audit

bench: $(VENV)/.dev browser ## Measure the speed against the bare loop, and the page in a browser
	@$(BIN)/python -m tests.bench

soak: $(VENV)/.dev browser ## Wear it down for half an hour: kills, locks, hostile links, a crowd, a lesson
	@$(BIN)/pytest -m long
	@$(BIN)/python -m tests.soak

mutants: $(VENV)/.dev ## Put faults into a copy of the code, one at a time, and count those that the tests notice
	@$(BIN)/python -m tests.mutants

screenshots: $(VENV)/.dev browser ## Take the README's pictures from the running app
	@$(BIN)/python -m tests.e2e.screenshots

icons: $(VENV)/.dev ## Cut the icons that pages use out of Streamlit's font
	@$(BIN)/python -m tests.cut_icons

figures: $(VENV)/.dev ## Make the figures and the measured sentences of docs/how-data-parallelism-works.md
	@$(BIN)/python -m tests.guide

messages: $(VENV)/.dev ## Collect the texts of the program into the catalogues
	@$(BIN)/pybabel -q extract --keywords=N_ --add-comments=Translators: --no-wrap --sort-by-file --add-location=file --omit-header \
		--output=dpdash/core/locale/dpdash.pot dpdash pages
	@$(BIN)/pybabel -q update --domain=dpdash --no-wrap --no-fuzzy-matching --ignore-obsolete --omit-header \
		--input-file=dpdash/core/locale/dpdash.pot --output-dir=dpdash/core/locale
	@rm dpdash/core/locale/dpdash.pot

clean: ## Remove the virtual environment and all caches
	@rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache htmlcov .coverage

.PHONY: browser
browser: $(VENV)/.dev
	@tests/e2e/install-browser $(BIN)/python

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed. Try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "Python lacks the venv module. Try: apt-get install python3-venv"; exit 1; }

$(VENV)/.run: requirements.txt | $(VENV)/bin/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements.txt requirements-extras.txt requirements-dev.txt | $(VENV)/bin/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.run

vendor: ## Fetch the vendored plotly.js again and check it
	@set -e; folder=$$(mktemp -d); cd $$folder; \
		npm pack --silent plotly.js-cartesian-dist-min@$(PLOTLY_JS_VERSION); tar xzf *.tgz; cd package; \
		sha256sum -c $(CURDIR)/$(STATIC)/plotly-cartesian.sha256; \
		cp plotly-cartesian.min.js $(CURDIR)/$(STATIC)/; cp LICENSE $(CURDIR)/$(STATIC)/plotly-LICENSE; \
		rm -r $$folder
