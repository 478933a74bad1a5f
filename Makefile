# The commands of this repository. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
STAGES := -p smoother-core -p smoother-ingest -p smoother-prioritizer -p smoother-worker -p smoother-results -p smoother-plan
CDK_INSTALLED := cdk/node_modules/.package-lock.json
# Client tests mostly wait on processes and timers: more of them at once than there are cores.
PYTEST_WORKERS ?= 4
DATA_DIR ?= smoother-data
# A long run; `make test` has fifty kills under a thousand requests.
KILLS ?= 1000
REQUESTS ?= 1000000
# A long run; `make test` has a thousand.
SEEDS ?= 100000
# A long run; `make test` has some seconds.
LIVES ?= 100
# Random tests take the same cases in every run of `make check` and `make test`, others in each round of `make properties`.
check test: export PROPTEST_RNG_SEED ?= 1
ROUNDS ?= 20
# How long: all targets of the fuzzing together, and the load of the soak, whose retention is a sixth of it.
fuzz: MINUTES ?= 10
soak: MINUTES ?= 60

.PHONY: help
help: ## List these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|'

.PHONY: run
run: ## Build and start the smoother with its bundled simulator; it prints its URL and a first call
	@.ci/prerequisites run
	$(CARGO) build --release --locked -p smoother
	$(TARGET_DIR)/release/smoother serve

.PHONY: check
check: ## Formatting, lints, and the tests of core and the stages (no AWS SDK is built for the tests)
	@.ci/prerequisites check
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) test --locked $(STAGES)

.PHONY: test
test: ## Everything: formatting, lints, every Rust test, the real clients against the real processes
	@.ci/prerequisites test
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) build --workspace --bins --locked
	$(CARGO) build --locked -p smoother-broken-disk
	tests/aws/make-venv
	$(CARGO) test --workspace --locked
	tests/clients/make-venv
	.venv/bin/python -m pytest tests/clients -n $(PYTEST_WORKERS) --dist worksteal
	.venv/bin/python -m pytest -p no:cacheprovider tests/soak
	$(MAKE) $(CDK_INSTALLED)
	cd cdk && npm run --silent check && npm run --silent test
	.venv/bin/python -m pytest tests/aws

.PHONY: clients
clients: ## Only the tests with boto3, langchain-aws and anthropic (ARGS='-k converse' picks some)
	@.ci/prerequisites test
	$(CARGO) build --locked -p smoother -p bedrock-sim
	tests/clients/make-venv
	.venv/bin/python -m pytest tests/clients -n $(PYTEST_WORKERS) --dist worksteal $(ARGS)

.PHONY: aws
aws: ## Only the deployment: its template, and everything end to end in an emulator of AWS (ARGS='-k thousand')
	@.ci/prerequisites test
	$(CARGO) build --locked -p smoother-bootstrap -p bedrock-sim
	tests/clients/make-venv
	tests/aws/make-venv
	$(MAKE) $(CDK_INSTALLED)
	cd cdk && npm run --silent check && npm run --silent test
	.venv/bin/python -m pytest tests/aws $(ARGS)

.PHONY: aws-iam
aws-iam: ## The same end to end with IAM enforced: every denied action is a finding
	@.ci/prerequisites test
	$(CARGO) build --locked -p smoother-bootstrap -p bedrock-sim
	tests/clients/make-venv
	tests/aws/make-venv
	$(MAKE) $(CDK_INSTALLED)
	SMOOTHER_AWS_AUTH=1 .venv/bin/python -m pytest tests/aws $(ARGS)

.PHONY: aws-figures
aws-figures: ## Measure the deployment in the emulator beside a bare pipeline, write docs/aws-figures.md
	@.ci/prerequisites test
	$(CARGO) build --profile lambda --locked -p smoother-bootstrap
	$(CARGO) build --release --locked -p bedrock-sim
	tests/clients/make-venv
	tests/aws/make-venv
	$(MAKE) $(CDK_INSTALLED)
	SMOOTHER_BOOTSTRAP_BIN=$(TARGET_DIR)/lambda/bootstrap BEDROCK_SIM_BIN=$(TARGET_DIR)/release/bedrock-sim \
		.venv/bin/python tests/aws/figures.py --out docs/aws-figures.md

$(CDK_INSTALLED): cdk/package-lock.json
	cd cdk && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# Installs the gateways that it compares with into bench/installed; says what is missing and goes on without.
.PHONY: bench
bench: ## Measure and write docs/benchmarks.md (QUICK=1: shorter; TRACES=DIR: the traces too; ONLY=burst-a, TARGETS=litellm; OUT=FILE)
	@.ci/prerequisites bench
	$(CARGO) build --release --locked -p smoother -p bedrock-sim -p smoother-bench
	tests/clients/make-venv
	$(TARGET_DIR)/release/smoother-bench run --install --out '$(or $(OUT),docs/benchmarks.md)' $(if $(QUICK),--quick) \
		$(if $(TRACES),--traces '$(TRACES)') $(if $(ONLY),--only '$(ONLY)') $(if $(TARGETS),--targets '$(TARGETS)')

.PHONY: bench-report
bench-report: ## Write docs/benchmarks.md and its pictures again from the figures beside it, without measuring (OUT=FILE)
	@.ci/prerequisites check
	$(CARGO) run --release --locked -p smoother-bench -- report --out '$(or $(OUT),docs/benchmarks.md)'

.PHONY: bench-core
bench-core: ## What a single decision of the scheduler costs with 100 to 1,000,000 waiting; writes docs/scheduler.md
	@.ci/prerequisites check
	$(CARGO) bench --locked -p smoother-core --bench decisions
	$(CARGO) bench --locked -p smoother-core --bench latency -- --out docs/scheduler.md

# A case that fails is kept in proptest-regressions/, prints itself, and is tried first from then on.
.PHONY: properties
properties: ## Random tests of core and the stages with other cases, ROUNDS times (SEED=n begins there)
	@.ci/prerequisites check
	$(CARGO) test --locked $(STAGES) --no-run
	for round in $$(seq $(or $(SEED),1) $$(($(or $(SEED),1) + $(ROUNDS) - 1))); do \
		echo "== PROPTEST_RNG_SEED=$$round"; PROPTEST_RNG_SEED=$$round $(CARGO) test --quiet --locked $(STAGES) || exit 1; \
	done

.PHONY: simulate
simulate: ## Simulate the whole pipeline under faults, in virtual time, by SEEDS seeds (SEED=n begins there)
	@.ci/prerequisites run
	SIMULATION_SEEDS=$(SEEDS) $(if $(SEED),SIMULATION_SEED=$(SEED)) \
		$(CARGO) test --release --locked -p smoother-tests --test simulation many_seeds -- --ignored --nocapture

.PHONY: simulate-holders
simulate-holders: ## Simulate lanes that pass from holder to holder, by 10,000 schedules (SEEDS=n; SEED=n begins there)
	@.ci/prerequisites run
	HOLDERS_SEEDS=$(if $(filter file,$(origin SEEDS)),10000,$(SEEDS)) $(if $(SEED),HOLDERS_SEED=$(SEED)) \
		$(CARGO) test --release --locked -p smoother-tests --test holders many_seeds -- --ignored --nocapture

.PHONY: pacing
pacing: ## Measure pacing against four kinds of limiter, in virtual time, write the tables of docs/pacing.md
	@.ci/prerequisites run
	mkdir -p $(TARGET_DIR)
	$(CARGO) test --release --locked -p smoother-core --lib pacing_table -- --ignored --nocapture --test-threads 1 \
		| sed -n 's/^test .*\.\.\. $$//; /^$$/p; /^##/p; /^|/p' | cat -s > $(TARGET_DIR)/pacing.md
	awk '{ print } /^<!-- make pacing/ { exit }' docs/pacing.md | cat - $(TARGET_DIR)/pacing.md > $(TARGET_DIR)/pacing-page.md
	mv $(TARGET_DIR)/pacing-page.md docs/pacing.md

# The server is built by itself: the harness has features of its own, such as virtual time.
.PHONY: crash
crash: ## Kill the server KILLS times under REQUESTS requests, audit all promises, write docs/crash.md (SEED=n replays)
	@.ci/prerequisites run
	$(CARGO) build --release --locked -p smoother -p bedrock-sim
	$(CARGO) build --release --locked -p smoother-tests --bins
	$(TARGET_DIR)/release/crash run --kills $(KILLS) --requests $(REQUESTS) $(if $(SEED),--seed $(SEED)) \
		--patience-s 1800 --named 'make crash KILLS=$(KILLS) REQUESTS=$(REQUESTS)' --out docs/crash.md

.PHONY: disk
disk: ## Cut the power under the server in LIVES lives, each audited after several cuts (SEED=n replays)
	@.ci/prerequisites run
	$(CARGO) build --locked -p smoother -p bedrock-sim -p smoother-broken-disk
	DISK_LIVES=$(LIVES) $(if $(SEED),DISK_SEED=$(SEED)) \
		$(CARGO) test --locked -p smoother-tests --test disk what_was_told_outlives -- --nocapture

.PHONY: fuzz
fuzz: ## Mutate the corpus of every input for MINUTES, keep what breaks something, write docs/fuzz.md (SEED=n repeats)
	@.ci/prerequisites run
	$(CARGO) build --release --locked -p smoother
	$(CARGO) build --release --locked -p smoother-tests --bins
	$(TARGET_DIR)/release/fuzz --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) \
		--named 'make fuzz MINUTES=$(MINUTES)' --out docs/fuzz.md

.PHONY: soak
soak: ## Twice the quota for MINUTES by every door, then quiet; judge memory, files and leftovers, write docs/soak.md
	@.ci/prerequisites test
	$(CARGO) build --release --locked -p smoother -p bedrock-sim
	tests/clients/make-venv
	SMOOTHER_BIN=$(TARGET_DIR)/release/smoother BEDROCK_SIM_BIN=$(TARGET_DIR)/release/bedrock-sim \
		.venv/bin/python tests/soak/run.py --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) --out docs/soak.md

.PHONY: clean-data
clean-data: ## Remove the data directory of `make run`
	rm -rf -- "$(DATA_DIR)"
