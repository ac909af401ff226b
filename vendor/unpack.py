#!/usr/bin/env python3
"""unpack.py CACHE ARCHIVE... - lay the parts we need of the checked archives under CACHE.

Sources go to CACHE/src/<library>, the Zig toolchain to CACHE/zig, the documentation pages' files to
CACHE/src/docs, those also compressed for embedding. Each folder is written beside its place and renamed
into it when complete, so a run that is cut short leaves nothing half done.
"""
import gzip
import os
import re
import shutil
import sys
import tarfile
import zipfile

SODIUM = "pynacl-1.6.2/src/libsodium/"
SIDECAR = "drf_spectacular_sidecar/static/drf_spectacular_sidecar/"

# py-lmdb hardens LMDB against damaged and forged files; its patches are numbered to be applied in this order.
# All of them, win32-sparse-file too: the later ones count its lines.
LMDB_PATCHES = """
    env-copy-txn cursor-next-prev-uninitialized cve-2019-16224-validate-db-flags
    cve-2019-16225-reject-dirty-pages cve-2019-16226-validate-node-del-size
    cve-2019-16227-guard-xcursor-null cve-2019-16228-validate-psize validate-page-bounds
    validate-node-read-size validate-subpage-bounds validate-xcursor-nodedsz validate-leaf2-keysize
    guard-xcursor-null-d3d4 validate-nodedsz-page-split validate-node-shrink-delta
    validate-overflow-pages validate-nodedsz-cursor-put validate-md-depth validate-md-root
    win32-sparse-file fix-large-write fix-overflow-page-size-mul validate-md-pad validate-ovpage-free
    validate-freedb-record
""".split()

# folder: (archive, {path inside: path in the folder}); a path ending in "/" means all below it
PARTS = {
    "zig": ("ziglang-0.16.0", {"ziglang/": ""}),
    "src/uv": ("uvloop-0.23.0.tar.gz", {
        "uvloop-0.23.0/vendor/libuv/src/": "src/",
        "uvloop-0.23.0/vendor/libuv/include/": "include/",
        "uvloop-0.23.0/vendor/libuv/LICENSE": "LICENSE",
    }),
    "src/llhttp": ("httptools-0.9.0.tar.gz", {"httptools-0.9.0/vendor/llhttp/": ""}),
    "src/lmdb": ("lmdb-3.0.0.tar.gz", {"lmdb-3.0.0/lib/": ""}),
    "src/sodium": ("pynacl-1.6.2.tar.gz", {
        SODIUM + "src/libsodium/": "",
        SODIUM + "builds/msvc/version.h": "include/sodium/version.h",
        SODIUM + "LICENSE": "LICENSE",
    }),
    "src/yyjson": ("yyjson-4.0.6.tar.gz", {
        "yyjson-4.0.6/yyjson/yyjson.c": "yyjson.c",
        "yyjson-4.0.6/yyjson/yyjson.h": "yyjson.h",
    }),
    "src/bearssl": ("bearssl_0.6+dfsg.1.orig.tar.xz", {
        "bearssl-0.6/src/": "src/",
        "bearssl-0.6/inc/": "inc/",
        "bearssl-0.6/LICENSE.txt": "LICENSE.txt",
    }),
    "src/curl": (("curl_8.14.1.orig.tar.gz", "curl-sys-0.4.82"), {
        "curl-8.14.1/lib/": "lib/",
        "curl-8.14.1/include/": "include/",
        "curl-8.14.1/COPYING": "COPYING",
    }),
    "src/musl": ("musl_1.2.5.orig.tar.gz", {
        "musl-1.2.5/" + part: part
        for part in ("src/malloc/", "src/string/", "src/include/", "src/internal/", "include/", "arch/x86_64/",
                     "arch/aarch64/", "arch/arm/", "arch/generic/", "COPYRIGHT")
    }),
    "src/docs": ("drf_spectacular_sidecar-2026.10.1", {
        SIDECAR + "swagger-ui-dist/swagger-ui.css": "swagger-ui.css",
        SIDECAR + "swagger-ui-dist/swagger-ui-bundle.js": "swagger-ui-bundle.js",
        SIDECAR + "swagger-ui-dist/LICENSE": "swagger-ui.LICENSE",
        SIDECAR + "redoc/bundles/redoc.standalone.js": "redoc.standalone.js",
        SIDECAR + "redoc/LICENSE": "redoc.LICENSE",
    }),
}
# The crate has the same files in a folder of another name.
OTHER_NAMES = {"curl-sys-0.4.82+curl-8.14.1/curl/": "curl-8.14.1/"}
COMPRESSED = ("swagger-ui.css", "swagger-ui-bundle.js", "redoc.standalone.js")


def members(archive):
    """(path, opened file) of every plain file in a tar or zip archive, in its order."""
    if archive.endswith(".whl"):
        with zipfile.ZipFile(archive) as z:
            for info in z.infolist():
                if not info.is_dir():
                    with z.open(info) as f:
                        yield info.filename, f
    else:
        with tarfile.open(archive) as t:
            for info in t:
                if info.isfile():
                    name = info.name
                    for other, usual in OTHER_NAMES.items():
                        if name.startswith(other):
                            name = usual + name[len(other):]
                    yield name, t.extractfile(info)


def place_of(path, places):
    for inside, place in places.items():
        if path == inside or (inside.endswith("/") and path.startswith(inside)):
            return place + path[len(inside):]
    return None


def unpack(archive, folder, places):
    fresh = folder + ".new"
    shutil.rmtree(fresh, ignore_errors=True)
    unseen = set(places)
    for path, f in members(archive):
        place = place_of(path, places)
        if place is None:
            continue
        unseen -= {inside for inside in unseen if path.startswith(inside)}
        target = os.path.normpath(os.path.join(fresh, place))
        if not target.startswith(fresh + os.sep):
            sys.exit("unpack: %s would put %s outside its folder" % (archive, path))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as out:
            shutil.copyfileobj(f, out, 1 << 20)
    if unseen:
        sys.exit("unpack: %s has no %s" % (archive, ", ".join(sorted(unseen))))
    return fresh


def compress(path):
    """path.gz, the same bytes on every machine: no name and no time inside."""
    with open(path, "rb") as f, open(path + ".gz", "wb") as out:
        with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=out, mtime=0) as z:
            shutil.copyfileobj(f, z)


def patch(folder, name):
    """Applies one unified diff, exactly: a line that is not where the patch says stops the build."""
    with open(os.path.join(folder, "py-lmdb", name + ".patch"), encoding="utf-8") as f:
        patch_lines = f.read().splitlines(keepends=True)
    files, lines = {}, None
    at = old_left = new_left = 0  # the line we stand at, and what the hunk still has to take and to give
    for line in patch_lines:
        if old_left > 0 or new_left > 0:
            # An empty line of context may have lost its blank.
            kind, text = (" ", line) if line == "\n" else (line[0], line[1:])
            if kind != "+":
                if at >= len(lines) or lines[at] != text:
                    sys.exit("unpack: %s.patch does not fit line %d" % (name, at + 1))
                del lines[at]
                old_left -= 1
            if kind != "-":
                lines.insert(at, text)
                new_left -= 1
                at += 1
        elif line.startswith("+++ "):
            path = os.path.join(folder, os.path.basename(line.strip()))
            with open(path, encoding="utf-8") as f:
                files[path] = lines = f.readlines()
        elif line.startswith("@@ "):
            old, new = re.match(r"@@ -(\S+) \+(\S+) @@", line).groups()
            old_left, new_left = (int((span + ",1").split(",")[1]) for span in (old, new))
            at = int(new.split(",")[0]) - 1
    for path, lines in files.items():
        with open(path, "w", encoding="utf-8") as out:
            out.writelines(lines)
    if not files:
        sys.exit("unpack: %s.patch changes nothing" % name)


def main(cache, archives):
    for name, (prefix, places) in PARTS.items():
        archive = next((a for a in archives if os.path.basename(a).startswith(prefix)), None)
        if archive is None:
            sys.exit("unpack: no archive for %s among those given" % name)
        folder = os.path.join(cache, name)
        # Left alone when made from the same: its times stay, and nothing is built again.
        steps = LMDB_PATCHES if name == "src/lmdb" else COMPRESSED if name == "src/docs" else ()
        origin = repr((os.path.basename(archive), places, steps))
        origin_path = os.path.join(folder, ".from")
        if os.path.exists(origin_path):
            with open(origin_path, encoding="utf-8") as f:
                if f.read() == origin:
                    continue
        fresh = unpack(archive, folder, places)
        if name == "zig":
            os.chmod(os.path.join(fresh, "zig"), 0o755)
        if name == "src/lmdb":
            for fix in LMDB_PATCHES:
                patch(fresh, fix)
        if name == "src/docs":
            for page in COMPRESSED:
                compress(os.path.join(fresh, page))
        with open(os.path.join(fresh, ".from"), "w", encoding="utf-8") as f:
            f.write(origin)
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(fresh, folder)


main(os.path.abspath(sys.argv[1]), sys.argv[2:])
