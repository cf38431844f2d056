# Two commands matter: `make demo` and `make test`. Everything CI runs is a target here too.
.DEFAULT_GOAL := help
SHELL := /bin/bash

.PHONY: help soak check-exports chaos simulate setup setup-browser setup-postgres setup-prometheus web build release demo test test-rust test-web e2e lint fmt doc deny bench ci clean load

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: ## Install what is missing to build (cmake, a C compiler)
	@scripts/setup.sh

setup-browser:
	@scripts/setup.sh --browser

setup-postgres:
	@scripts/setup.sh --postgres

setup-prometheus:
	@scripts/setup.sh --prometheus

web/node_modules: web/package-lock.json
	npm --prefix web ci --no-audit --no-fund
	@touch $@

web/dist/index.html: web/node_modules $(shell find web/src web/index.html web/public web/vite.config.ts -type f 2>/dev/null)
	npm --prefix web run --silent build

web: web/dist/index.html ## Build the web pages that the binary embeds

build: setup web ## Build the binary for development
	cargo build --locked -p colloquy

release: setup web ## Build the binary for production: target/release/colloquy
	cargo build --locked --release -p colloquy

demo: build ## Run one whole interview with the simulator, then keep serving (ONCE=1: exit after the report)
	@target/debug/colloquy demo $(if $(ONCE),--once) $(DEMO_ARGS)

test: setup web test-rust test-web e2e ## All tests: Rust, web pages, and a real browser against the real server

# Stories over real sockets mostly wait: a server's test takes a tenth of a core, so more of them run than there are cores.
test-rust: setup-postgres setup-prometheus web
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-6} cargo test --locked --workspace

test-web: web/node_modules
	npm --prefix web test

e2e: build setup-browser ## A real Chromium goes from link to thank-you page
	npm --prefix web run e2e

lint: fmt ## Clippy and the web linters, warnings denied
	cargo clippy --locked --workspace --all-targets -- -D warnings
	npm --prefix web run lint
	npm --prefix web run typecheck
	npm --prefix web run format:check

fmt:
	cargo fmt --all -- --check

doc: ## Build the API documentation, warnings denied
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

deny: ## Licences, sources and advisories of the dependencies
	@scripts/deny.sh

bench: setup web ## Measure, print, and write target/bench.json (BENCH_ARGS="--only latency --seconds 20")
	cargo build --locked --release -p colloquy -p engine -p store --bin colloquy --example walk --example journal_rate
	target/release/colloquy bench --out target/bench.json $(BENCH_ARGS)

chaos: setup web ## Break everything under running interviews and check that none is lost (CHAOS_ARGS="--events 40 --seed 7")
	cargo build --locked --release -p colloquy
	target/release/colloquy chaos $(CHAOS_ARGS)

soak: setup web ## Let interviews come and go and see that nothing is left behind (SOAK_ARGS="--minutes 10 --sessions 20")
	cargo build --locked --release -p colloquy
	target/release/colloquy soak $(SOAK_ARGS)

load: setup web ## Many participants at once; what they heard beside what the server exports, in target/load.html (LOAD_ARGS="--sessions 200 --ramp 60s --duration 10m")
	cargo build --locked --release -p colloquy
	target/release/colloquy load --json target/load.json --html target/load.html $(LOAD_ARGS)

simulate: ## 100,000 interviews in virtual time in which everything breaks (SESSIONS=n, SEED=n; ONE=seed replays one)
	@cargo build --locked --quiet --release -p engine --example fleet
	@target/release/examples/fleet --sessions $(or $(SESSIONS),100000) --seed $(or $(SEED),1) $(if $(ONE),--one $(ONE))

check-exports: build ## Read every export with parsers that are not ours (installs them below target/)
	python3 -m venv target/exports
	target/exports/bin/pip install --quiet --disable-pip-version-check -r scripts/exports.txt
	target/exports/bin/python scripts/check_exports.py target/debug/colloquy

ci: ## What the gate runs
	.ci/run

clean:
	cargo clean
	rm -rf web/dist web/node_modules demo-data
