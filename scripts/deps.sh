#!/usr/bin/env bash
# Installs the Debian packages of packages.txt whose commands or files are missing. Without
# root and without sudo it names them and fails. Nothing it installs is started.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

missing=()
while read -r package command _; do
	case $package in '' | '#'*) continue ;; esac
	command -v "$command" >/dev/null || [ -e "$command" ] || missing+=("$package")
done <packages.txt
[ ${#missing[@]} -gt 0 ] || exit 0

root=()
if [ "$(id -u)" != 0 ]; then
	if ! sudo -n true 2>/dev/null; then
		echo "The tests need these Debian packages (why: scripts/packages.txt). Please install them:" >&2
		echo "    sudo apt-get install --no-install-recommends ${missing[*]}" >&2
		exit 1
	fi
	root=(sudo -n)
fi
if ! command -v apt-get >/dev/null; then
	echo "The tests need what Debian calls ${missing[*]} (why: scripts/packages.txt); there is no apt-get here." >&2
	exit 1
fi

# Postfix serves as a box of test tools and must not become the mail system of
# this machine: no configuration, no service started, and no package removed.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap '"${root[@]}" rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee $policy >/dev/null
	"${root[@]}" chmod 0755 $policy
fi
echo 'postfix postfix/main_mailer_type select No configuration' | "${root[@]}" debconf-set-selections
echo "Installing ${missing[*]}" >&2
"${root[@]}" apt-get update -q >&2
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends --no-remove "${missing[@]}" </dev/null >&2
