#!/usr/bin/env bash
# Runs every fuzz target of the tree, one after the other, for the time given.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-20s}
go=${GO:-go}

found=0
while IFS=: read -r file name; do
	found=$((found + 1))
	echo "== $(dirname "$file") $name"
	"$go" test "./$(dirname "$file")" -run='^$' -fuzz="^$name\$" -fuzztime="$time"
done < <(git ls-files -co --exclude-standard '*_test.go' |
	xargs grep -HoE '^func Fuzz[A-Za-z0-9_]*' | sed 's/:func /:/')
echo "$found fuzz targets, nothing found."
