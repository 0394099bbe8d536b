# Needs Go, gcc, make and git. Every other tool is built from the versions that tools/go.mod pins.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

MODULES := . bench
LINTER = go tool -modfile=$(CURDIR)/tools/go.mod golangci-lint

FUZZTIME ?= 10s
SIZE     ?= 1GB
MEMORY   ?= 256MiB
ROUNDS   ?= 3
RUN      ?=

.PHONY: help build fmt lint test race fuzz bench generate check

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Without -trimpath: fletch finds its own sources, which the plugins it builds need, by the path recorded here.
build: ## Build ./fletch
	go build -o fletch ./cmd/fletch

fmt: ## Format the code
	for module in $(MODULES); do (cd $$module && $(LINTER) fmt); done

lint: ## Check formatting, the linters' rules and that go.mod is tidy
	for module in $(MODULES); do (cd $$module && $(LINTER) run && go mod tidy -diff); done
	! grep -rnE '^\s*go (func\b|[[:alnum:]_.]+\()' --include='*.go' --exclude='*_test.go' master/state master/schedule || \
		{ echo 'state and schedule start no goroutines'; exit 1; }

test: ## Run all tests
	for module in $(MODULES); do (cd $$module && go test ./...); done

race: ## Run all tests with the race detector
	go test -race ./...

fuzz: ## Fuzz each decoder for FUZZTIME=10s
	for module in $(MODULES); do (cd $$module && go test -list '^Fuzz' ./... | \
		awk '/^Fuzz/ { names[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print $$2, names[i]; n = 0 }' | \
		while read -r package target; do \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package" < /dev/null; \
		done); done

bench: ## Compare with the limit, DuckDB, GNU sort and a cluster: SIZE=1GB MEMORY=256MiB ROUNDS=3 RUN=wordcount,terasort,groupby,...
	cd bench && go run ./cmd/bench --size=$(SIZE) --memory=$(MEMORY) --rounds=$(ROUNDS) $(if $(RUN),--run=$(RUN))

generate: ## Generate code
	go generate ./...

# The sums of all files, tracked or not, tell what generate changes, whatever else is uncommitted.
SUMS = git ls-files -z --cached --others --exclude-standard | sort -zu | xargs -0 sha256sum 2>/dev/null || true

check: lint ## Run lint, generate, test and race; what has to pass before a commit
	before=$$($(SUMS)); $(MAKE) generate; \
	diff <(echo "$$before") <($(SUMS)) || { echo 'generated code was out of date: commit what changed'; exit 1; }
	$(MAKE) test race
