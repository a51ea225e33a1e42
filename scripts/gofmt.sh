#!/usr/bin/env bash
# Fails, naming the files, when any Go file is not as gofmt would write it.
set -euo pipefail
cd "$(dirname "$0")/.."
gofmt=$(${GO:-go} env GOROOT)/bin/gofmt

unformatted=$(git ls-files -co --exclude-standard -z '*.go' | xargs -0 "$gofmt" -l -s)
if [ -n "$unformatted" ]; then
	printf 'not formatted (gofmt -s -w):\n%s\n' "$unformatted" >&2
	exit 1
fi
