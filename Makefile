# Posthaste: everything a developer runs. Plain `make` lists the targets.

GO       ?= go
FUZZTIME ?= 20s
PART     ?= all
CACHE    := $(CURDIR)/.cache
TOOLBIN  := $(CACHE)/bin
VERSION  := $(patsubst v%,%,$(shell git describe --tags --match 'v*' --dirty 2>/dev/null))

# The product is one static file. -buildvcs=false because the version is stamped
# from the latest tag, if any, and a checkout owned by somebody else must build as well.
export CGO_ENABLED ?= 0
BUILD := $(GO) build -trimpath -buildvcs=false -ldflags '-s -w -X github.com/posthaste-mta/posthaste/internal/daemon.stamp=$(VERSION)'

.PHONY: help build run test race fuzz lint generate docs bench check deps clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/posthaste
	$(BUILD) -o bin/posthaste ./cmd/posthaste

run: build ## build and start the whole mail system on loopback ports
	bin/posthaste up $(ARGS)

deps: ## install the Debian packages that the tests drive
	@scripts/deps.sh

test: deps ## install what the tests need, then run every test
	$(GO) test ./...

race: deps ## run every test under the race detector
	CGO_ENABLED=1 $(GO) test -race ./...

fuzz: ## run every fuzz target for FUZZTIME (20s) each
	@GO='$(GO)' scripts/fuzz.sh $(FUZZTIME)

lint: $(TOOLBIN)/golangci-lint ## gofmt, go vet, golangci-lint and the rules of the floors
	@GO='$(GO)' scripts/gofmt.sh
	$(GO) vet ./...
	GOLANGCI_LINT_CACHE=$(CACHE)/golangci-lint $(TOOLBIN)/golangci-lint run ./...

generate: $(TOOLBIN)/buf $(TOOLBIN)/protoc-gen-go $(TOOLBIN)/protoc-gen-connect-go ## write generated code again
	PATH=$(TOOLBIN):$$PATH $(GO) generate ./...

docs: ## write the generated pages under docs/ again
	$(GO) test ./internal/config ./internal/control/ctl ./internal/compat ./internal/lint -update

bench: build ## measure against Postfix; PART=intake, relay, hsl, … runs one part
	@scripts/deps.sh
	$(GO) run ./bench -posthaste bin/posthaste -part $(PART) $(ARGS)

check: lint test generate docs ## what a commit passes: lint, tests, nothing left to generate
	@scripts/clean-tree.sh

clean: ## remove what the targets above have built
	rm -rf bin $(CACHE)

# Development tools have a module of their own, so that their dependencies never
# enter the product's. They are built once, at low priority.
TOOL_golangci-lint         := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
TOOL_buf                   := github.com/bufbuild/buf/cmd/buf
TOOL_protoc-gen-go         := google.golang.org/protobuf/cmd/protoc-gen-go
TOOL_protoc-gen-connect-go := connectrpc.com/connect/cmd/protoc-gen-connect-go

$(TOOLBIN)/%: tools/go.mod tools/go.sum
	@mkdir -p $(TOOLBIN)
	nice -n 19 $(GO) -C tools build -buildvcs=false -o $@ $(TOOL_$*)
