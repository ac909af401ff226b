#!/bin/sh
# Black-box tests: the real binary ($HOMEPORT_BIN) against the API, real servers and stand-ins for vendors.
#   tests/run.sh [pytest arguments or paths]      default: tests/api tests/wire tests/peers
# Makes its own venv in .cache/venv and, as root, installs what the system lacks. Called by `./zigw build test`.
# The last line reads `N passed, N failed, N skipped` (tests/conftest.py writes it).
set -eu
cd "$(dirname "$0")/.."
cache=$PWD/.cache
venv=$cache/venv
mkdir -p "$cache"

missing=
command -v python3 >/dev/null || missing="$missing python3"
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
command -v knotd >/dev/null || [ -x /usr/sbin/knotd ] || missing="$missing knot"
command -v kdig >/dev/null || missing="$missing knot-dnsutils"
command -v ip >/dev/null || [ -x /usr/sbin/ip ] || missing="$missing iproute2"
if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "run.sh: installing$missing"
    # Packages must not start daemons of their own: 101 is the policy's word for "no".
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod 755 "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update && apt-get -qq install -y --no-install-recommends $missing >"$cache/apt.log" 2>&1 ||
        { echo "run.sh: apt-get failed, see $cache/apt.log; tests that need$missing are skipped"; }
elif [ -n "$missing" ]; then
    echo "run.sh: not root, and this system lacks$missing; tests that need them are skipped"
fi

stamp=$venv/complete-$(cksum <tests/requirements.txt | tr ' ' -)
if [ ! -e "$stamp" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps -r tests/requirements.txt
    : >"$stamp"
fi

HOMEPORT_BIN=${HOMEPORT_BIN:-zig-out/bin/homeport}
case $HOMEPORT_BIN in /*) ;; *) HOMEPORT_BIN=$PWD/$HOMEPORT_BIN ;; esac
export HOMEPORT_BIN HOMEPORT_VECTORS_CACHE="${HOMEPORT_VECTORS_CACHE:-$cache/vectors}"
export PYTHONDONTWRITEBYTECODE=1 PATH="$PATH:/usr/sbin:/sbin"

given=no
for argument; do case $argument in -*) ;; *) [ -e "${argument%%::*}" ] && given=yes ;; esac; done
[ $given = yes ] || set -- "$@" tests/api tests/wire tests/peers
"$venv/bin/python" -m pytest -c tests/pytest.ini --rootdir=tests "$@"
