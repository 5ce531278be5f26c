# What one does with weir. CI runs the same targets (.ci/run).

GO        ?= go
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
ARGS      ?=
FUZZTIME  ?= 10s
BENCH     ?= .
BENCHTIME ?= 1s
COUNT     ?= 1
TIMEOUT   ?= 15m
# Made-up rule files of the equivalence test, five cases each.
EQUIV_FILES ?= 20000
# Files of wild rules, some five statements each.
WILD_FILES  ?= 4000

# What ships is static, so that is what is tested; the race detector needs C.
export CGO_ENABLED ?= 0
export PATH := $(PATH):/usr/sbin

.PHONY: all build slim run test testdeps test32 testslim ports race lint fuzz bench rewrite check clean help

all: build

help:
	@echo 'build    the static binary bin/weir'
	@echo 'slim     bin/weir-slim: without database drivers, for small gateways'
	@echo 'run      weir with broker, simulated devices and sample rules (ARGS="--rules 8000")'
	@echo 'test     all tests'
	@echo 'test32   the tests of vec, planner, exec and ingest on 32 bits (386)'
	@echo 'testslim vet and the tests that apply to the slim build'
	@echo 'ports    build and vet for linux/arm64 and linux/arm/v7'
	@echo 'race     all tests under the race detector, with invariants checked'
	@echo 'lint     format, vet, staticcheck, rules of the house, go.mod'
	@echo 'fuzz     every fuzz target for FUZZTIME'
	@echo 'bench    benchmarks that match BENCH, COUNT times'
	@echo 'rewrite  accept what golden files and the list of passing cases show; read the diff'
	@echo 'check    test, testslim, test32, ports, race and lint: what CI runs'
	@echo 'clean    remove what was built'

# What the linker would strip is not made in the first place.
BUILD = $(GO) build -trimpath -gcflags=all=-dwarf=false -ldflags '-s -w -X main.version=$(VERSION)'

build:
	$(BUILD) -o bin/weir ./cmd/weir

slim:
	$(BUILD) -tags slim -o bin/weir-slim ./cmd/weir

run: build
	bin/weir demo $(ARGS)

test: testdeps
	WEIR_EQUIV_FILES=$(EQUIV_FILES) WEIR_WILD_FILES=$(WILD_FILES) $(GO) test -timeout $(TIMEOUT) ./...

# Some tests run against mosquitto and redis-server where they are there. In CI
# nothing is skipped.
testdeps:
	@command -v mosquitto >/dev/null 2>&1 && command -v redis-server >/dev/null 2>&1 || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
			{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mosquitto redis-server; } >/dev/null 2>&1 \
				|| { echo 'mosquitto or redis-server could not be installed: tests against them are skipped'; [ -z "$$CI" ]; }; \
		else echo 'mosquitto or redis-server is not installed: tests against them are skipped'; [ -z "$$CI" ]; fi; }

# Lengths, times and hashes overflow an int of 32 bits, and 64-bit atomics want
# alignment there: gateways with arm/v7 are such machines, 386 is one at hand.
test32:
	@case "$$(uname -m)" in x86_64|i?86) GOARCH=386 $(GO) test -timeout $(TIMEOUT) ./vec/... ./planner/... ./exec/... ./ingest/... ;; \
		*) echo 'no 386 here: the tests on 32 bits are skipped';; esac

testslim:
	$(GO) vet -tags slim ./...
	$(GO) test -tags slim -timeout $(TIMEOUT) ./planner/... ./exec ./internal/engine ./internal/conformance ./cmd/weir

# What is thrown away need not be optimized: that halves the time.
ports:
	@for arch in arm64 arm; do echo "linux/$$arch"; export GOOS=linux GOARCH=$$arch GOARM=7; \
		$(GO) build -gcflags='all=-N -l' -o /dev/null ./cmd/weir && $(GO) build -gcflags='all=-N -l' ./... && $(GO) vet -gcflags='all=-N -l' ./... || exit 1; done

race: testdeps
	CGO_ENABLED=1 $(GO) test -race -tags invariants -timeout $(TIMEOUT) ./...

lint:
	@echo gofumpt; out=$$($(GO) tool gofumpt -l .); [ -z "$$out" ] || { echo "not formatted (go tool gofumpt -w .):"; echo "$$out"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags invariants ./...
	$(GO) tool staticcheck ./...
	$(GO) test -count=1 -short ./internal/lint
	$(GO) mod tidy -diff

fuzz:
	@grep -rl --include='*_test.go' '^func Fuzz' . | while read -r file; do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' "$$file"); do \
			echo "$$file $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" || exit 1; \
		done; \
	done

bench:
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -count $(COUNT) ./...

rewrite:
	$(GO) test -count=1 $$(grep -rlE --include='*_test.go' '^\s*"[a-z./-]*/(datadriven|logictest)"$$' . | xargs -n1 dirname | sort -u) -rewrite
	$(GO) test -count=1 ./internal/conformance -rewrite
	$(GO) test -count=1 -run TestReference ./internal/engine -rewrite
	git --no-pager diff --stat

check: test testslim test32 ports race lint

clean:
	rm -rf bin
