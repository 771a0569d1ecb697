# `make` lists the targets. Each does its own set-up; only the first run needs a network.
.DEFAULT_GOAL := help
.NOTPARALLEL:
SHELL := /bin/sh

BIN := .venv/bin
INSTALLED := .venv/.installed
DEVELOPED := .venv/.developed
CLIENT := vscode-client
CLIENT_READY := $(CLIENT)/node_modules/.package-lock.json

.PHONY: help demo test test-editor lint fix client vsix setup serve bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(INSTALLED) ## see the server complete and cite, on the small corpus
	@$(BIN)/footnote setup --small
	@$(BIN)/footnote demo

test: lint client ## check everything: style, types, arrows, client, tests
	$(BIN)/pytest $(ARGS)

test-editor: vsix ## a person at work in a real VS Code, Neovim, Emacs and Helix, without a screen (800 MB to fetch)
	@tests/editor/install
	@tests/editor/install-others
	@$(BIN)/footnote setup --small
	@FOOTNOTE_TEST_EDITOR=1 FOOTNOTE_PICTURES=$${FOOTNOTE_PICTURES:-tests/editor/pictures} $(BIN)/pytest -q tests/editor

lint: $(DEVELOPED) ## style, types and import arrows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(DEVELOPED) ## repair what ruff can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

client: ## types and bundle of the VS Code extension
	@if command -v npm >/dev/null 2>&1; then $(MAKE) --no-print-directory $(CLIENT_READY) && cd $(CLIENT) && npm run --silent check; \
	else echo "client: left out, there is no Node 20 here (https://nodejs.org)"; fi

vsix: $(DEVELOPED) $(CLIENT_READY) ## package the VS Code extension, with the server that it sets up
	@mkdir -p $(CLIENT)/out/server && rm -f $(CLIENT)/out/server/*
	@$(BIN)/hatchling build -t sdist -d $(CLIENT)/out/server 2>/dev/null
	@mv $(CLIENT)/out/server/footnote-*.tar.gz $(CLIENT)/out/server/footnote.tar.gz
	@cp .ci/constraints.txt $(CLIENT)/out/server/
	@cd $(CLIENT) && npm run --silent package

setup: $(INSTALLED) ## fetch the full corpus and build its index (2.5 GB of disk)
	@$(BIN)/footnote setup

serve: $(INSTALLED) ## run the language server on stdin and stdout
	@$(BIN)/footnote serve

bench: $(INSTALLED) ## time a completion after a keystroke beside Hugging Face generate
	@$(BIN)/footnote bench completion

clean: ## remove the environment and what was built; the corpus stays
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf $(CLIENT)/node_modules $(CLIENT)/out $(CLIENT)/*.vsix tests/editor/node_modules tests/editor/unpacked tests/editor/pictures

$(INSTALLED): pyproject.toml .ci/constraints.txt .ci/install engine/native/kernel.c indexer/attribution/native/lexer.c indexer/attribution/native/aligner.c indexer/attribution/native/rows.c indexer/attribution/native/features.c indexer/attribution/native/voting.c indexer/attribution/native/rows.h hatch_build.py
	@.ci/install
	@touch $@

$(DEVELOPED): pyproject.toml .ci/constraints.txt .ci/install engine/native/kernel.c indexer/attribution/native/lexer.c indexer/attribution/native/aligner.c indexer/attribution/native/rows.c indexer/attribution/native/features.c indexer/attribution/native/voting.c indexer/attribution/native/rows.h hatch_build.py
	@.ci/install dev
	@touch $(INSTALLED) $@

$(CLIENT_READY): $(CLIENT)/package.json $(CLIENT)/package-lock.json
	@cd $(CLIENT) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@
