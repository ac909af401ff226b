#!/bin/sh
# crate-source.sh FOLDER CRATE VERSION ARCHIVE - fetches the archive of one Rust crate with cargo.
#
# cargo has no command to fetch a single archive: a package that depends on it has to ask.
set -eu
package=$(mktemp -d)
trap 'rm -rf "$package"' EXIT INT TERM
mkdir "$package/src"
: >"$package/src/lib.rs"
cat >"$package/Cargo.toml" <<END
[package]
name = "fetch"
version = "0.0.0"
edition = "2021"
[dependencies]
$2 = { version = "=$3", default-features = false }
END
cargo fetch --manifest-path "$package/Cargo.toml"
find "${CARGO_HOME:-${HOME:-/root}/.cargo}/registry/cache" -name "$4" -exec cp {} "$1/" \;
