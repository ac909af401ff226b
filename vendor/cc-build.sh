#!/bin/sh
# cc-build.sh - builds the same sources with a system compiler, for what Zig's does not have: address
# sanitizer, libFuzzer, valgrind, gcc's warnings. The lists are those build.zig reads.
#
#   cc-build.sh make FOLDER [GOAL...]   goals: homeport unit sim fuzz all (default: all but fuzz)
#   cc-build.sh asan                    clang with address and undefined-behaviour sanitizer; runs unit tests
#   cc-build.sh gcc                     gcc, for its warnings and for valgrind; runs unit tests
#   cc-build.sh fuzz [TARGET [SECONDS]] clang with libFuzzer; runs one target or all, 30 seconds each
#
# For `make`: CC, CFLAGS, OWN_CFLAGS (ours only), LDFLAGS. Programs come to FOLDER, objects to FOLDER/o; a
# changed header rebuilds what includes it. A change of flags wants another FOLDER.
set -eu
cd "$(dirname "$0")/.."

die() {
    echo "cc-build: $*" >&2
    exit 1
}

[ -f .cache/fetched ] || die "run ./zigw version once, it fetches the third-party sources"
command -v make >/dev/null || die "make is missing; install it (apt-get install make)"

# The lines of a list without comments; a bare name gets FOLDER in front.
list() { # FILE [FOLDER]
    [ -f "$1" ] || return 0
    sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$1" |
        sed -e "\\,^\\(src\\|tests\\)/,!s,^,${2:-},"
}

src=.cache/src lists=vendor/lists

# ---------------------------------------------------------------- writing the Makefile

# One object: its rule and its dependency file. Prints nothing; adds to $objects.
object() { # SOURCE FLAGS
    object=$folder/o/$(echo "${1#./}" | tr '/' '_').o
    printf '%s: %s\n\t%s -MMD -MP -c $< -o $@\n' "$object" "$1" "\$(CC) $2" >>"$makefile"
    objects="$objects $object"
}

third_party() {
    flags="-std=gnu11 -w -fno-strict-aliasing $CFLAGS -D_FILE_OFFSET_BITS=64"
    sodium=$(list $lists/sodium-defines.txt | sed 's/.*/-D&=1/' | tr '\n' ' ')
    # No HAVE_..INTRIN_H and no assembly: sanitizers and valgrind see plain C.
    sodium="$sodium -DTLS=_Thread_local -DHAVE_TI_MODE=1 -UHAVE_INLINE_ASM -I$src/sodium/include/sodium"
    objects=
    for file in $(list $lists/uv.txt); do
        object $src/uv/"$file" "$flags -D_GNU_SOURCE -I$src/uv/include -I$src/uv/src"
    done
    for file in $(list $lists/llhttp.txt); do
        object $src/llhttp/"$file" "$flags -I$src/llhttp/include"
    done
    for file in $(list $lists/lmdb.txt); do object $src/lmdb/"$file" "$flags"; done
    object $src/yyjson/yyjson.c "$flags -DYYJSON_DISABLE_NON_STANDARD=1"
    for file in $(list $lists/bearssl.txt); do
        object $src/bearssl/"$file" "$flags -I$src/bearssl/inc -I$src/bearssl/src"
    done
    for file in $(list $lists/sodium.txt); do object $src/sodium/"$file" "$flags -fwrapv $sodium"; done
    for file in $(list $lists/curl.txt); do
        object $src/curl/lib/"$file" "$flags -D_GNU_SOURCE -DHAVE_CONFIG_H -DBUILDING_LIBCURL \
-DCURL_STATICLIB -DCURL_HIDDEN_SYMBOLS -Ivendor/curl -I$src/curl/include -I$src/curl/lib -I$src/bearssl/inc"
    done
    printf '%s:%s\n\trm -f $@\n\tar rcs $@ $^\n' "$libraries" "$objects" >>"$makefile"
}

# A program of objects and libraries, with libFuzzer's main when asked.
link() { # NAME OBJECTS [LINK_FLAGS]
    printf '%s: %s %s\n\t$(CC) -o $@ %s %s %s -lcrypt -lpthread -ldl -lm\n' "$folder/$1" "$2" "$libraries" \
        "$2" "$libraries" "$LDFLAGS ${3:-}" >>"$makefile"
}

ours() {
    own="-std=gnu11 -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
-Wformat=2 -Wundef -Wpointer-arith -Werror -fno-strict-aliasing $CFLAGS $OWN_CFLAGS -D_GNU_SOURCE \
-DCURL_STATICLIB -DSODIUM_STATIC -DHOMEPORT_VERSION='\"$(cat VERSION)\"' -Isrc -Ischema"
    for include in uv/include llhttp/include lmdb yyjson sodium/include curl/include bearssl/inc; do
        own="$own -isystem $src/$include"
    done

    all=$(list src/SOURCES.txt)
    objects=
    for file in $(echo "$all" | grep -v '^src/main\.c$'); do object "$file" "$own"; done
    tested=$objects
    # What assets.c includes by the assembler is in no dependency file.
    echo "$folder/o/src_web_assets.c.o: $(echo src/web/ui/* .cache/src/docs/*.gz)" >>"$makefile"
    printf '%s:%s\n\trm -f $@\n\tar rcs $@ $^\n' "$folder/libtested.a" "$tested" >>"$makefile"

    goals=
    for file in $(list tests/unit/LIST.txt tests/unit/); do
        name=unit-$(basename "$file" .c)
        object "$file" "$own"
        link "$name" "$object $folder/libtested.a"
        goals="$goals $folder/$name"
    done
    echo "unit:$goals" >>"$makefile"

    goals=
    for file in tests/fuzz/*.c; do
        [ -f "$file" ] || continue
        name=fuzz-$(basename "$file" .c)
        object "$file" "$own"
        link "$name" "$object $folder/libtested.a" -fsanitize=fuzzer
        goals="$goals $folder/$name"
    done
    echo "fuzz:$goals" >>"$makefile"

    objects=
    for file in $(list tests/sim/LIST.txt tests/sim/); do object "$file" "$own"; done
    sim=$objects
    for file in $(echo "$all" | grep -v -e '^src/main\.c$' -e '^src/edge/' -e '^src/serve/' -e '^src/cli/'); do
        sim="$sim $folder/o/$(echo "$file" | tr '/' '_').o"
    done
    if [ -n "$objects" ]; then
        link homeport-sim "$sim"
        echo "sim: $folder/homeport-sim" >>"$makefile"
    else
        echo "sim:" >>"$makefile"
    fi

    if [ -f src/main.c ]; then
        object src/main.c "$own"
        link homeport "$object$tested"
        echo "homeport: $folder/homeport" >>"$makefile"
    else
        echo "homeport:" >>"$makefile"
    fi
}

build() { # FOLDER GOAL...
    folder=$1 makefile=$1/Makefile libraries=$1/libraries.a
    shift
    CC=${CC:-gcc} CFLAGS=${CFLAGS:--O2 -g} OWN_CFLAGS=${OWN_CFLAGS:-} LDFLAGS=${LDFLAGS:-}
    command -v "${CC%% *}" >/dev/null || die "$CC is missing; install it (apt-get install ${CC%% *})"
    mkdir -p "$folder/o"
    {
        echo "# Written by vendor/cc-build.sh."
        echo "CC = $CC"
        echo "all: homeport unit sim"
        echo ".PHONY: all homeport unit sim fuzz"
        echo ".DELETE_ON_ERROR:"
    } >"$makefile"
    third_party
    ours
    echo "-include $folder/o/*.d" >>"$makefile"
    make -s -j2 -f "$makefile" "$@"
}

# ---------------------------------------------------------------- what can be asked for

run_unit_tests() { # FOLDER
    for file in $(list tests/unit/LIST.txt tests/unit/); do "$1/unit-$(basename "$file" .c)"; done
}

clang() {
    for CC in "${CLANG:-clang}" clang-14 clang-16 clang-19; do
        if command -v "$CC" >/dev/null; then return 0; fi
    done
    die "clang is missing; install it (apt-get install clang)"
}

sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
goal=${1:-}
[ $# -eq 0 ] || shift
case $goal in
make)
    [ $# -gt 0 ] || die "usage: cc-build.sh make FOLDER [GOAL...]"
    build "$@"
    ;;
asan)
    clang
    # Only our own code is held to the letter of the standard; addresses are watched in all of it.
    CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address" OWN_CFLAGS=$sanitizers LDFLAGS=$sanitizers
    build .cache/asan all
    run_unit_tests .cache/asan
    ;;
gcc)
    CC=gcc
    build .cache/gcc all
    run_unit_tests .cache/gcc
    ;;
fuzz)
    clang
    CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,fuzzer-no-link" OWN_CFLAGS=$sanitizers LDFLAGS=$sanitizers
    build .cache/fuzz fuzz
    for file in tests/fuzz/*.c; do
        [ -f "$file" ] || continue
        target=$(basename "$file" .c)
        if [ -n "${1:-}" ] && [ "$1" != "$target" ]; then continue; fi
        mkdir -p ".cache/fuzz/corpus-$target"
        seeds=
        if [ -d "tests/fuzz/$target" ]; then seeds=tests/fuzz/$target; fi
        # shellcheck disable=SC2086 # no folder of seeds, no word
        .cache/fuzz/"fuzz-$target" -max_total_time="${2:-30}" -artifact_prefix=.cache/fuzz/ -print_final_stats=1 \
            ".cache/fuzz/corpus-$target" $seeds
    done
    ;;
*)
    die "usage: cc-build.sh make FOLDER [GOAL...] | asan | gcc | fuzz [TARGET [SECONDS]]"
    ;;
esac
