#!/bin/sh
# apt-source.sh FOLDER SUITE PACKAGE... - fetches the upstream tarballs of Debian source packages of SUITE.
#
# apt-get runs with a private, temporary state whose mirror is the one this machine is set up for, so
# nothing of the system's own apt changes and no mirror is named here.
set -eu
mkdir -p "$1"
folder=$(cd "$1" && pwd)
suite=$2
shift 2

state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT INT TERM
mkdir -p "$state/lists/partial" "$state/cache/archives/partial"

# The first mirror of the archive proper; a freshly made image may know its targets before its first update.
mirror=$(apt-get indextargets --no-release-info --format '$(REPO_URI) $(COMPONENT)' |
    awk '$2 == "main" && $1 ~ /\/debian\/?$/ { print $1; exit }')
[ -n "$mirror" ] || { echo "apt-source: no Debian mirror is set up on this machine" >&2; exit 1; }
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
signed=
if [ -r "$keyring" ]; then signed="[signed-by=$keyring]"; fi
echo "deb-src $signed $mirror $suite main" >"$state/sources.list"

apt() {
    apt-get -q -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$state/lists" -o Dir::Cache="$state/cache" -o APT::Sandbox::User=root \
        -o Acquire::Languages=none "$@"
}
apt update
cd "$folder"
result=0
for package; do
    # --tar-only: the upstream tarball alone, without Debian's patches (and without a need for dpkg-dev)
    apt source --download-only --tar-only --only-source "$package" || result=1
done
exit $result
