# Everything that a person or a machine does with this repository. `make help` lists it.
#
# Build, tests and demo share ONE profile (dev, hot crates optimised: see Cargo.toml) and ONE set
# of features. Cargo adds the features of test dependencies only when a test is among the targets,
# and other features mean compiling DataFusion again (six minutes on two cores). So every
# selection below covers the whole workspace and names at least one test, also `make demo`.

export CARGO_TARGET_DIR ?= $(HOME)/.cache/rialto/target
CARGO  ?= cargo
PYTHON ?= python3
RIALTO  = $(CARGO_TARGET_DIR)/debug/rialto
# Where `make flink-up` notes the cluster that it has started.
FLINK_HERE = .cache/flink
# rustup puts cargo here; a shell that was open before the installation does not know it yet.
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: help demo build test soak examples lint style tidy fmt bench data dist console test-console
.PHONY: flink-up flink-down test-flink

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

build: ## Build the command: $CARGO_TARGET_DIR/debug/rialto
	@scripts/setup.sh build
	@scripts/console.sh || echo "build: SKIPPED: the console is not in the command (see above)" >&2
	$(CARGO) build --workspace --bins --test parser

demo: build ## A simulated shop with all packs, console and API; DATA=<dir>: the Online Retail set
ifdef DATA
	$(RIALTO) demo --data $(abspath $(DATA))
else
	$(RIALTO) demo
endif

test: ## All tests: Rust, SQL corpus, examples, the console in a browser
	@scripts/setup.sh build
	scripts/test.sh

console: ## Build the web console; the next `make build` puts it into the binary
	scripts/console.sh

test-console: build ## The console alone: its components, and in Chromium against the binary
	RIALTO=$(RIALTO) scripts/console.sh test

examples: build ## The tests of the examples alone
	RIALTO=$(RIALTO) $(PYTHON) examples/test.py

style: tidy ## Format and tidy: the lints that need no build
	@scripts/setup.sh lint
	$(CARGO) fmt --all --check

soak: build ## The kill loops, ten times as long (RIALTO_KILLS=200)
	RIALTO_KILLS=200 $(CARGO) test --workspace --test cli -- kill crash any_place --nocapture

lint: style ## Format, tidy, clippy (clippy checks the dependencies once more: minutes from cold)
	$(CARGO) clippy --workspace --all-targets -- -D missing_docs -D unsafe_code \
		-D clippy::dbg_macro -D clippy::todo -D clippy::unimplemented

tidy: ## The rules that rustfmt and clippy do not know
	$(PYTHON) scripts/tidy.py

fmt: ## Format the sources
	$(CARGO) fmt --all

data: ## Fetch public retail data into .cache/data
	scripts/data.sh

bench: build ## Nexmark on Rialto, and on Flink and DuckDB beside it; BENCH="--queries q0,q5"
	$(PYTHON) bench/compare.py $(RIALTO) $(BENCH)

test-flink: build ## Projects on a real Flink cluster over a real Kafka, against local Rialto
	$(PYTHON) tests/flink/cluster_test.py $(RIALTO) $(FLINK)

flink-up: ## Start a Flink session cluster with its SQL Gateway on loopback; says where
	@if [ -f $(FLINK_HERE) ]; then echo "it runs already (make flink-down stops it):"; cat $(FLINK_HERE); \
	else mkdir -p $(dir $(FLINK_HERE)) && tests/flink/cluster.sh up > $(FLINK_HERE).part && \
	mv $(FLINK_HERE).part $(FLINK_HERE) && cat $(FLINK_HERE); fi

flink-down: ## Stop it
	@if [ -f $(FLINK_HERE) ]; then tests/flink/cluster.sh down \
	"$$(sed -n 's/^FLINK_DIR=//p' $(FLINK_HERE))"; rm -f $(FLINK_HERE); else echo "none runs"; fi

dist: build ## An archive of the command: $CARGO_TARGET_DIR/dist/rialto-*.tar.gz
	scripts/dist.sh
