# Two commands do everything: `make demo` (one spoken conversation) and `make test` (all tests).
.PHONY: demo serve test setup setup-tests lint bench clean help
.DEFAULT_GOAL := help

VISAVIS := .venv/bin/visavis
PYTEST_ARGS ?=

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: ## install visavis and its models into .venv (idempotent)
	@tools/setup.sh runtime

setup-tests:
	@tools/setup.sh tests

demo: setup ## hold one conversation with a digital human; demo/conversation.mp4 shows it
	@$(VISAVIS) demo

serve: setup ## the same server, left running; prints the address of the page
	@$(VISAVIS) serve

test: setup-tests lint ## all tests, those in a real Chromium included
	@.venv/bin/python -m pytest $(PYTEST_ARGS)

lint: setup-tests
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --quiet --diff .
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports >/dev/null || { .venv/bin/lint-imports; exit 1; }

bench: setup-tests ## measure; figures go to docs/performance.md
	@$(VISAVIS) bench all

clean: ## remove what was built (data and models stay)
	@rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache
