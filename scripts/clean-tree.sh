#!/usr/bin/env bash
# Fails when generating has changed a file: what is committed must be current.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -n "$(git status --porcelain)" ]; then
	git status --short >&2
	echo 'The tree is not clean: commit what `make generate docs` wrote.' >&2
	exit 1
fi
