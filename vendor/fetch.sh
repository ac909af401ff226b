#!/bin/sh
# fetch.sh - brings everything in pins.txt into .cache/ and unpacks it. ./zigw calls it when the pins changed.
#
# 1. Look for each archive in .cache/dl, then in $HOMEPORT_VENDOR_DIR (a folder of archives, for machines
#    without a network).
# 2. Ask pip for the Python packages still missing, then apt-get for the Debian sources; cargo has a second
#    copy of curl.
# 3. Check the sha256 of every archive ourselves, whoever delivered it, and unpack all.
#
# No address is written here: pip, apt-get and cargo ask the registries this machine is set up for. Details
# of what they said are in .cache/fetch.log.
set -eu
cd "$(dirname "$0")"
vendor=$(pwd -P)
cd ..
root=$(pwd -P)
mkdir -p .cache/dl .cache/tmp 2>/dev/null && [ -w .cache ] || {
    echo "zigw: cannot write to $PWD/.cache" >&2
    exit 1
}
cache=$root/.cache dl=$root/.cache/dl log=$root/.cache/fetch.log
export TMPDIR="$cache/tmp"

die() {
    echo "zigw: $*" >&2
    exit 1
}

# Two runs at once: the second waits here, and finds the work done.
command -v flock >/dev/null || die "flock is missing; install util-linux"
exec 9>"$cache/lock"
flock 9
stamp() { (cd "$vendor" && cat pins.txt fetch.sh unpack.py && echo "$root"); }
if stamp | cmp -s - "$cache/fetched"; then exit 0; fi
: >"$log"

# A Debian without Python is helped when we may; anyone else is told the line to run.
install_python() {
    line="apt-get update && apt-get install -y --no-install-recommends python3 python3-pip ca-certificates"
    command -v apt-get >/dev/null || die "python3 with pip is missing; install it and run again"
    [ "$(id -u)" = 0 ] || die "python3 with pip is missing; run as root: $line"
    echo "zigw: installing python3 and pip with apt-get" >&2
    sh -c "$line" >>"$log" 2>&1 9>&- || die "apt-get could not install python3-pip (is the network up?); see .cache/fetch.log"
}

case $(uname -m) in
x86_64 | amd64) wheel=wheel-x86_64 ;;
aarch64 | arm64) wheel=wheel-aarch64 ;;
*) die "there is no pinned Zig for $(uname -m); build on x86_64 or aarch64 and copy the binary" ;;
esac
pins=$(grep -v -e '^#' -e '^$' "$vendor/pins.txt" | grep -e '^wheel ' -e "^$wheel " -e '^sdist ' -e '^debian ' -e '^crate ')

is_pinned() { [ "$(sha256sum <"$1" | cut -d' ' -f1)" = "$2" ]; } # FILE SHA256

# Prints the pins whose archive is not in .cache/dl. A file there with a wrong sum was cut short: drop it.
missing() { # KINDS
    echo "$pins" | grep -E "^($1) " | while read -r from package version archive sum suites; do
        if [ -f "$dl/$archive" ]; then
            if is_pinned "$dl/$archive" "$sum"; then continue; fi
            rm -f "$dl/$archive"
        fi
        if [ -n "${HOMEPORT_VENDOR_DIR:-}" ] && [ -f "$HOMEPORT_VENDOR_DIR/$archive" ]; then
            is_pinned "$HOMEPORT_VENDOR_DIR/$archive" "$sum" ||
                die "sha256 of $HOMEPORT_VENDOR_DIR/$archive is not the pinned $sum"
            cp "$HOMEPORT_VENDOR_DIR/$archive" "$dl/.part"
            mv "$dl/.part" "$dl/$archive"
            continue
        fi
        echo "$from $package $version $archive $sum $suites"
    done
}

# Moves what a client left in .cache/tmp/got into .cache/dl, if it is what we asked for.
accept() { # ARCHIVE SHA256
    if [ ! -f "$TMPDIR/got/$1" ]; then return 0; fi
    is_pinned "$TMPDIR/got/$1" "$2" || die "sha256 of the $1 we were given is not the pinned $2"
    mv "$TMPDIR/got/$1" "$dl/$1"
}

need_python() {
    if ! python3 -c 'import lzma, zipfile, gzip' 2>/dev/null; then install_python; fi
}

rm -rf "$TMPDIR/got"
mkdir -p "$TMPDIR/got"

# --- Python packages. pip insists on asking an sdist's build back end for its name before it keeps the
# archive; the stand-in in pip-shim answers, so that no foreign code runs.
wanted=$(missing "wheel|$wheel|sdist") || exit 1
need_python
if [ -n "$wanted" ]; then
    if ! python3 -m pip --version >/dev/null 2>&1; then install_python; fi
    echo "zigw: fetching $(echo "$wanted" | cut -d' ' -f2 | paste -sd' ') with pip" >&2
    echo "$wanted" | while read -r from package version archive sum suites; do
        case $from in
        sdist) echo "--no-binary $package" ;;
        *) echo "--only-binary $package" ;;
        esac
        echo "$package==$version --hash=sha256:$sum"
    done >"$TMPDIR/requirements.txt"
    PYTHONPATH="$vendor/pip-shim" python3 -m pip --disable-pip-version-check --no-cache-dir --no-input \
        download --no-deps --no-build-isolation --ignore-requires-python --require-hashes \
        -r "$TMPDIR/requirements.txt" -d "$TMPDIR/got" >>"$log" 2>&1 9>&- || {
        if grep -q 'DO NOT MATCH' "$log"; then
            die "pip was given a package whose sha256 is not the pinned one; see .cache/fetch.log"
        fi
        die "pip could not download the pinned packages (is the network up?); see .cache/fetch.log"
    }
    echo "$wanted" | while read -r from package version archive sum suites; do
        accept "$archive" "$sum"
    done
fi

# --- Debian sources: one apt-get call for each suite, for what is still missing.
debian_fetch() {
    for suite in trixie forky bookworm; do
        names=$(missing debian | while read -r from package version archive sum suites; do
            case ",$suites," in *",$suite,"*) echo "$package" ;; esac
        done)
        [ -n "$names" ] || continue
        echo "zigw: fetching" $names "of Debian $suite with apt-get" >&2
        # shellcheck disable=SC2086 # the names are words
        sh "$vendor/apt-source.sh" "$TMPDIR/got" "$suite" $names >>"$log" 2>&1 9>&- || true
        missing debian | while read -r from package version archive sum suites; do
            accept "$archive" "$sum"
        done
    done
}
wanted=$(missing debian) || exit 1
if [ -n "$wanted" ] && command -v apt-get >/dev/null; then debian_fetch; fi

# --- curl once more, from the crate that carries the same sources.
wanted=$(missing debian) || exit 1
crate=
if [ "$(echo "$wanted" | cut -d' ' -f2)" = curl ]; then
    read -r from package version archive sum <<END
$(echo "$pins" | grep '^crate ')
END
    if [ -n "$(missing crate)" ] && command -v cargo >/dev/null; then
        echo "zigw: fetching $package $version with cargo" >&2
        sh "$vendor/crate-source.sh" "$TMPDIR/got" "$package" "$version" "$archive" >>"$log" 2>&1 9>&- || true
        accept "$archive" "$sum"
    fi
    if [ -f "$dl/$archive" ]; then wanted='' crate=$archive; fi
fi
if [ -n "$wanted" ]; then
    names=$(echo "$wanted" | cut -d' ' -f4 | paste -sd' ')
    command -v apt-get >/dev/null || die "apt-get is missing; put $names into a folder and set HOMEPORT_VENDOR_DIR to it"
    die "apt-get could not fetch $names (is the network up?); see .cache/fetch.log"
fi

# --- All is here: check everything once more in one place, then unpack.
archives=
for archive in $(echo "$pins" | while read -r from package version archive sum suites; do
    case $from in crate) [ "$archive" = "$crate" ] || continue ;; esac
    if [ -n "$crate" ] && [ "$from $package" = "debian curl" ]; then continue; fi
    is_pinned "$dl/$archive" "$sum" || die "sha256 of .cache/dl/$archive is not the pinned $sum"
    echo "$archive"
done); do
    archives="$archives .cache/dl/$archive"
done
echo "zigw: unpacking" >&2
# shellcheck disable=SC2086 # archive names have no spaces
python3 "$vendor/unpack.py" .cache $archives 9>&- || die "unpacking failed, see above"
rm -rf "$TMPDIR"
# Zig remembers some files by full path: in a copy of the project it would look at those of the original.
if [ -f "$cache/fetched" ] && [ "$(tail -n 1 "$cache/fetched")" != "$root" ]; then rm -rf "$cache/zig-local"; fi
stamp >"$cache/fetched.new"
mv "$cache/fetched.new" "$cache/fetched"
