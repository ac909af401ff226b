#!/bin/sh
# The page in a real browser: headless Chromium against the real binary ($HOMEPORT_BIN). See page.mjs.
# Installs what it needs: playwright-core into .cache/browser, and as root Chromium and node from the system.
# The last line reads `N passed, N failed, N skipped`.
set -eu
cd "$(dirname "$0")/../.."
cache=$PWD/.cache/browser
driver=playwright-core@1.65.1
mkdir -p "$cache"

skip() {
    echo "browser/run.sh: $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

find_chromium() {
    for name in ${HOMEPORT_CHROMIUM:-} chromium chromium-browser google-chrome; do
        if command -v "$name"; then return; fi
    done
}

chromium=$(find_chromium) || true
missing=
[ -n "$chromium" ] || missing="$missing chromium"
command -v node >/dev/null || missing="$missing nodejs"
command -v npm >/dev/null || missing="$missing npm"
if [ -n "$missing" ]; then
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || skip "this system lacks$missing"
    echo "browser/run.sh: installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 # a list of words
    { apt-get -qq update && apt-get -qq install -y --no-install-recommends $missing; } >"$cache/apt.log" 2>&1 ||
        skip "apt-get failed, see $cache/apt.log"
    chromium=$(find_chromium)
fi

if [ ! -e "$cache/$driver" ]; then
    rm -rf "$cache/node_modules"
    npm install --prefix "$cache" --no-save --no-audit --no-fund --ignore-scripts "$driver" >"$cache/npm.log" 2>&1 ||
        skip "npm failed, see $cache/npm.log"
    : >"$cache/$driver"
fi

HOMEPORT_BIN=${HOMEPORT_BIN:-zig-out/bin/homeport}
case $HOMEPORT_BIN in /*) ;; *) HOMEPORT_BIN=$PWD/$HOMEPORT_BIN ;; esac
export HOMEPORT_BIN HOMEPORT_CHROMIUM="$chromium" HOMEPORT_BROWSER_CACHE="$cache"
exec node tests/browser/page.mjs
