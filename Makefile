# Everything a person needs: `make demo` and `make test`. The rest is for those who change things.
SHELL := /bin/bash
BIN := .venv/bin
WORKERS ?= auto
NAME ?=
BECAUSE ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow attack mutants record lint types floors format bench docs lock clean

help: ## name the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

setup: ## install and prepare what is missing; ends in milliseconds when nothing is
	@scripts/setup.sh

demo: setup ## the desks in paper on a local chain, live in this terminal; a report at the end
	@$(BIN)/tidegate demo

test: setup ## the default suite
	@$(BIN)/pytest -q -n $(WORKERS) --dist worksteal

test-slow: setup ## what the default suite leaves out: fuzz in depth, kill schedules, endurance
	@$(BIN)/pytest -q -n $(WORKERS) --dist worksteal -m slow --timeout 3600

attack: setup ## every attack on the executor that we know, and what stops it
	@$(BIN)/tidegate drill attack

mutants: setup ## change the executor in every way that a hand could, and see a test fail each time
	@$(BIN)/python -m tests.contracts.mutants

record: setup ## make record BECAUSE="...": bytecode and gas of the contracts, after one was changed
	@$(BIN)/python -m tests.contracts.record --because "$(BECAUSE)"

lint: setup ## style of the code
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: setup ## strict types
	@$(BIN)/mypy

floors: setup ## rooms import only downwards
	@$(BIN)/lint-imports

format: setup ## put the code into its form
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: setup ## make bench [NAME=journal]
	@if [ -n "$(NAME)" ]; then $(BIN)/tidegate bench $(NAME); \
	else for name in atomic-gas simulate decode journal signer rpc pipeline recover devnet; do $(BIN)/tidegate bench $$name || exit 1; done; fi

docs: setup ## write the generated pages of docs/reference anew
	@$(BIN)/python scripts/generate_docs.py

lock: setup ## resolve requirements/*.in and package.json into the lock files
	@command -v uv >/dev/null || { echo "needs uv (pip install uv)"; exit 1; }
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url requirements/runtime.in -o requirements/runtime.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url requirements/dev.in -o requirements/dev.txt
	npm install --package-lock-only

clean: ## remove everything that set-up and runs have made
	rm -rf .venv node_modules .cache .tidegate build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
