//! How homeport is built. Start with ./zigw, which brings the pinned Zig and sources: `./zigw build --help`.
//!
//! Kept plain on purpose: lists of files are text, embedded here, and no step looks at the file system, so
//! the same few calls of std.Build should outlive a change of Zig. Our own sources stand in src/SOURCES.txt,
//! which vendor/cc-build.sh (the same build by a system compiler, for sanitizers) reads as well.
//!
//! Third-party code is always built for speed and without sanitizers, whatever -Doptimize says: it is built
//! once for each target and every program and test links the same objects.
const std = @import("std");
const Build = std.Build;
const Compile = Build.Step.Compile;

const sources = ".cache/src";
const default_target: std.Target.Query = .{ .cpu_arch = .x86_64, .os_tag = .linux, .abi = .musl, .cpu_model = .baseline };

/// What `dist` builds. armv7 asks for no more than VFPv3 with 16 registers: older NAS chips have no NEON.
const DistTarget = struct { name: []const u8, triple: []const u8, cpu: []const u8 };
const dist_targets = [_]DistTarget{
    .{ .name = "x86_64", .triple = "x86_64-linux-musl", .cpu = "baseline" },
    .{ .name = "aarch64", .triple = "aarch64-linux-musl", .cpu = "baseline" },
    .{ .name = "armv7", .triple = "arm-linux-musleabihf", .cpu = "baseline-neon-d32-vfp3-vfp3sp+vfp3d16" },
};

const own_flags = [_][]const u8{
    "-std=gnu11", "-Wall",               "-Wextra",              "-Wpedantic",
    "-Wshadow",   "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wvla",
    "-Wformat=2", "-Wundef",             "-Wpointer-arith",      "-Werror",
    "-Wno-c23-extensions", // #embed, in src/web/assets.c
    "-Wno-gnu-zero-variadic-macro-arguments",
    "-fno-strict-aliasing",
    "-ffunction-sections",
    "-fdata-sections",
    "-UNDEBUG", // assertions stay on in every build
};
const library_flags = [_][]const u8{ "-std=gnu11", "-w", "-fno-strict-aliasing", "-ffunction-sections", "-fdata-sections" };

const Project = struct {
    b: *Build,
    version: []const u8,
    lmdb_robust: bool = true,
    /// Our own program files, src/main.c among them.
    own: []const []const u8,
};

/// One target with the third-party libraries built for it.
const Platform = struct {
    project: Project,
    target: Build.ResolvedTarget,
    libraries: []const *Compile,
};

/// How our own code is built: `debug` has UBSan and line numbers, the others are for use.
const Mode = struct { optimize: std.builtin.OptimizeMode, strip: bool };
const debug: Mode = .{ .optimize = .Debug, .strip = false };

pub fn build(b: *Build) void {
    const target = b.standardTargetOptions(.{ .default_target = default_target });
    const optimize = b.option(std.builtin.OptimizeMode, "optimize", "for our own code (default: ReleaseSafe)") orelse .ReleaseSafe;
    const mode: Mode = .{
        .optimize = optimize,
        .strip = b.option(bool, "strip", "leave debug information out (default: yes, but for Debug)") orelse (optimize != .Debug),
    };
    const project: Project = .{
        .b = b,
        .version = b.option([]const u8, "version", "version to report (default: the VERSION file)") orelse
            std.mem.trim(u8, @embedFile("VERSION"), " \r\n"),
        .own = list(b, "", @embedFile("src/SOURCES.txt")),
    };
    const here = platform(project, target);

    const homeport = program(here, "homeport", mode, project.own);
    b.installArtifact(homeport);
    addRun(b, homeport);

    const unit_tests = unitTests(here);
    const simulator = simulatorProgram(here);
    addCheck(b, homeport, unit_tests, simulator);
    addTest(b, homeport, unit_tests);
    addSim(b, simulator);
    addBench(here, mode);
    addDist(project, mode);
    addArm(project, mode);
    addSystemCompiler(b, "asan", "build with gcc or clang and sanitizers, and run the unit tests");
    addSystemCompiler(b, "fuzz", "build the fuzz targets with clang and run each for a while (-- TARGET SECONDS)");
}

// ---------------------------------------------------------------- steps

fn addRun(b: *Build, homeport: *Compile) void {
    const run = b.addRunArtifact(homeport);
    run.setCwd(b.path("."));
    run.addArg("serve");
    if (b.args) |args| run.addArgs(args) else run.addArgs(&.{ "--data", "data" });
    b.step("run", "build and run `homeport serve`, with its data in ./data (-- ARGS replaces that)").dependOn(&run.step);
}

/// What takes seconds: all our code and the tests compiled with every warning, tidy and the unit tests run.
fn addCheck(b: *Build, homeport: *Compile, unit_tests: []const *Compile, simulator: ?*Compile) void {
    const step = b.step("check", "compile everything of ours, run tidy and the unit tests");
    step.dependOn(&homeport.step);
    if (simulator) |s| step.dependOn(&s.step);
    const tidy = b.addSystemCommand(&.{ "python3", "tests/tidy.py" });
    tidy.setCwd(b.path("."));
    tidy.has_side_effects = true;
    step.dependOn(&tidy.step);
    for (unit_tests) |unit_test| step.dependOn(runAlways(b, unit_test));
}

fn addTest(b: *Build, homeport: *Compile, unit_tests: []const *Compile) void {
    const unit = b.step("unit", "run the C unit tests");
    for (unit_tests) |unit_test| unit.dependOn(runAlways(b, unit_test));

    const rest = b.addSystemCommand(&.{ "sh", "tests/run.sh" });
    rest.setCwd(b.path("."));
    rest.setEnvironmentVariable("HOMEPORT_BIN", b.getInstallPath(.bin, "homeport"));
    if (b.args) |args| rest.addArgs(args);
    rest.has_side_effects = true;
    rest.step.dependOn(&b.addInstallArtifact(homeport, .{}).step);
    rest.step.dependOn(unit);
    b.step("test", "run all tests (-- ARGS goes to tests/run.sh)").dependOn(&rest.step);
}

fn addSim(b: *Build, simulator: ?*Compile) void {
    const step = b.step("sim", "build and run the simulator (-- SEED and more)");
    const exe = simulator orelse return step.dependOn(&b.addFail("tests/sim/LIST.txt names no files").step);
    const run = b.addRunArtifact(exe);
    run.setCwd(b.path("."));
    run.has_side_effects = true;
    if (b.args) |args| run.addArgs(args);
    run.step.dependOn(&b.addInstallArtifact(exe, .{}).step);
    step.dependOn(&run.step);
}

/// Two programs to measure against, and one that fills stores and looks inside. Their sources are named here only, so that no other step needs them.
fn addBench(here: Platform, mode: Mode) void {
    const b = here.project.b;
    const step = b.step("bench", "build homeport-bare, -slowdisk and -tool, to measure with");
    const bare = program(here, "homeport-bare", mode, &.{"bench/bare.c"});
    step.dependOn(&b.addInstallArtifact(bare, .{}).step);
    // Its fdatasync() comes before libc's in a static link.
    const slow = program(here, "homeport-slowdisk", mode, concat(b, here.project.own, &.{"bench/slowdisk.c"}));
    step.dependOn(&b.addInstallArtifact(slow, .{}).step);
    const tool = program(here, "homeport-tool", mode, concat(b, without(b, here.project.own, &.{"src/main.c"}), &.{"bench/tool.c"}));
    step.dependOn(&b.addInstallArtifact(tool, .{}).step);
}

fn addDist(project: Project, mode: Mode) void {
    const b = project.b;
    const sums = b.addSystemCommand(&.{ "sh", "-c", "cd \"$1\" && sha256sum homeport-\"$2\"-linux-* >SHA256SUMS && ls -l", "dist" });
    sums.addArgs(&.{ b.getInstallPath(.prefix, "dist"), project.version });
    sums.has_side_effects = true;
    for (dist_targets) |wanted| {
        const name = b.fmt("homeport-{s}-linux-{s}", .{ project.version, wanted.name });
        sums.step.dependOn(distProgram(project, mode, wanted, "dist", name));
    }
    b.step("dist", "build the binaries to give out, with SHA256SUMS, into zig-out/dist").dependOn(&sums.step);
}

/// What tests/arm runs: the binaries of `dist` that are not for x86_64, and each once more with plain locks in LMDB.
/// For qemu-user knows no robust futexes: musl then answers ENOSYS, and mdb_env_open() fails.
fn addArm(project: Project, mode: Mode) void {
    const b = project.b;
    const step = b.step("arm", "build the ARM binaries, also so that qemu-user can run them, into zig-out/arm");
    var plain = project;
    plain.lmdb_robust = false;
    for (dist_targets) |wanted| {
        if (std.mem.eql(u8, wanted.name, "x86_64")) continue;
        step.dependOn(distProgram(project, mode, wanted, "arm", wanted.name));
        step.dependOn(distProgram(plain, mode, wanted, "arm", b.fmt("{s}-qemu", .{wanted.name})));
    }
}

fn distProgram(project: Project, mode: Mode, wanted: DistTarget, folder: []const u8, name: []const u8) *Build.Step {
    const b = project.b;
    const query = std.Target.Query.parse(.{ .arch_os_abi = wanted.triple, .cpu_features = wanted.cpu }) catch
        @panic("bad target in dist_targets");
    const there = platform(project, b.resolveTargetQuery(query));
    const homeport = program(there, "homeport", .{ .optimize = mode.optimize, .strip = true }, project.own);
    const install = b.addInstallArtifact(homeport, .{
        .dest_dir = .{ .override = .{ .custom = folder } },
        .dest_sub_path = name,
    });
    return &install.step;
}

fn addSystemCompiler(b: *Build, name: []const u8, description: []const u8) void {
    const run = b.addSystemCommand(&.{ "sh", "vendor/cc-build.sh", name });
    run.setCwd(b.path("."));
    run.has_side_effects = true;
    if (b.args) |args| run.addArgs(args);
    b.step(name, description).dependOn(&run.step);
}

fn runAlways(b: *Build, unit_test: *Compile) *Build.Step {
    const run = b.addRunArtifact(unit_test);
    run.setCwd(b.path("."));
    run.has_side_effects = true;
    return &run.step;
}

// ---------------------------------------------------------------- our programs

fn program(on: Platform, name: []const u8, mode: Mode, files: []const []const u8) *Compile {
    const module = ownModule(on, mode, files);
    for (on.libraries) |library| module.linkLibrary(library);
    const exe = on.project.b.addExecutable(.{ .name = name, .root_module = module, .linkage = .static });
    exe.link_gc_sections = true;
    exe.pie = true; // static-pie: addresses differ from run to run, at no cost
    return exe;
}

/// Each file of tests/unit/LIST.txt is a program of its own, linked with all of ours but main.c.
fn unitTests(on: Platform) []const *Compile {
    const b = on.project.b;
    const ours = b.addLibrary(.{
        .name = "homeport-tested",
        .linkage = .static,
        .root_module = ownModule(on, debug, without(b, on.project.own, &.{"src/main.c"})),
    });
    const files = list(b, "tests/unit/", @embedFile("tests/unit/LIST.txt"));
    const tests = b.allocator.alloc(*Compile, files.len) catch @panic("out of memory");
    for (files, tests) |file, *unit_test| {
        unit_test.* = program(on, b.fmt("unit-{s}", .{std.fs.path.stem(file)}), debug, &.{file});
        unit_test.*.root_module.linkLibrary(ours);
    }
    return tests;
}

/// The simulator replaces main.c and the edge: it has its own clock, disk and network.
fn simulatorProgram(on: Platform) ?*Compile {
    const b = on.project.b;
    const files = list(b, "tests/sim/", @embedFile("tests/sim/LIST.txt"));
    if (files.len == 0) return null;
    const rules = without(b, on.project.own, &.{ "src/main.c", "src/edge/", "src/serve/", "src/cli/" });
    return program(on, "homeport-sim", debug, concat(b, rules, files));
}

fn ownModule(on: Platform, mode: Mode, files: []const []const u8) *Build.Module {
    const b = on.project.b;
    const module = b.createModule(.{
        .target = on.target,
        .optimize = mode.optimize,
        .link_libc = true,
        .strip = mode.strip,
        .sanitize_c = if (mode.optimize == .Debug) .full else .off,
        .omit_frame_pointer = mode.optimize != .Debug, // there are tables for whoever unwinds
        .pic = true,
    });
    // Assertions name files from the project's root, so that where it is built leaves no trace.
    const prefix = b.fmt("-fmacro-prefix-map={s}/=", .{b.pathFromRoot("")});
    module.addCSourceFiles(.{ .files = files, .flags = concat(b, &own_flags, &.{prefix}) });
    module.addCMacro("_GNU_SOURCE", "1");
    module.addCMacro("CURL_STATICLIB", "1");
    module.addCMacro("SODIUM_STATIC", "1");
    module.addCMacro("HOMEPORT_VERSION", b.fmt("\"{s}\"", .{on.project.version}));
    module.addIncludePath(b.path("src"));
    module.addIncludePath(b.path("schema"));
    // As system headers: what they do with our warnings is their affair.
    for ([_][]const u8{ "uv/include", "llhttp/include", "lmdb", "yyjson", "sodium/include", "curl/include", "bearssl/inc" }) |folder|
        module.addSystemIncludePath(source(b, folder));
    return module;
}

// ---------------------------------------------------------------- third-party libraries

fn platform(project: Project, target: Build.ResolvedTarget) Platform {
    const b = project.b;
    const all = [_]*Compile{
        libcurl(b, target),
        bearssl(b, target),
        libsodium(b, target),
        lmdb(b, target, project.lmdb_robust),
        yyjson(b, target),
        llhttp(b, target),
        libuv(b, target),
        musl(b, target), // its functions come before libc's all the same
    };
    // glibc (for a quick try with -Dtarget) keeps its own.
    const count = if (target.result.isMuslLibC()) all.len else all.len - 1;
    return .{ .project = project, .target = target, .libraries = b.allocator.dupe(*Compile, all[0..count]) catch @panic("out of memory") };
}

fn thirdParty(b: *Build, target: Build.ResolvedTarget, name: []const u8, root: []const u8, files: []const []const u8, flags: []const []const u8) *Compile {
    const module = b.createModule(.{
        .target = target,
        .optimize = .ReleaseFast,
        .link_libc = true,
        .strip = true,
        .sanitize_c = .off,
        .stack_protector = true,
        .omit_frame_pointer = true,
        .pic = true,
    });
    module.addCSourceFiles(.{ .root = source(b, root), .files = files, .flags = concat(b, &library_flags, flags) });
    return b.addLibrary(.{ .name = name, .linkage = .static, .root_module = module });
}

fn libuv(b: *Build, target: Build.ResolvedTarget) *Compile {
    const library = thirdParty(b, target, "uv", "uv", list(b, "", @embedFile("vendor/lists/uv.txt")), &.{});
    const module = library.root_module;
    define(module, &.{"_GNU_SOURCE"});
    module.addCMacro("_POSIX_C_SOURCE", "200112");
    module.addCMacro("_FILE_OFFSET_BITS", "64");
    module.addIncludePath(source(b, "uv/include"));
    module.addIncludePath(source(b, "uv/src"));
    return library;
}

fn llhttp(b: *Build, target: Build.ResolvedTarget) *Compile {
    const library = thirdParty(b, target, "llhttp", "llhttp", list(b, "", @embedFile("vendor/lists/llhttp.txt")), &.{});
    library.root_module.addIncludePath(source(b, "llhttp/include"));
    return library;
}

fn lmdb(b: *Build, target: Build.ResolvedTarget, robust: bool) *Compile {
    const library = thirdParty(b, target, "lmdb", "lmdb", list(b, "", @embedFile("vendor/lists/lmdb.txt")), &.{});
    library.root_module.addCMacro("_FILE_OFFSET_BITS", "64");
    if (!robust) library.root_module.addCMacro("MDB_USE_ROBUST", "0");
    return library;
}

fn yyjson(b: *Build, target: Build.ResolvedTarget) *Compile {
    const library = thirdParty(b, target, "yyjson", "yyjson", &.{"yyjson.c"}, &.{});
    define(library.root_module, &.{"YYJSON_DISABLE_NON_STANDARD"});
    return library;
}

fn bearssl(b: *Build, target: Build.ResolvedTarget) *Compile {
    const library = thirdParty(b, target, "bearssl", "bearssl", list(b, "", @embedFile("vendor/lists/bearssl.txt")), &.{});
    library.root_module.addIncludePath(source(b, "bearssl/inc"));
    library.root_module.addIncludePath(source(b, "bearssl/src"));
    return library;
}

/// The macros are what libsodium's configure finds on Linux, but for two. AVX512 slows the rest of a chip. With HAVE_MMAP a
/// hash has the kernel fill its 19 MiB in one call (MAP_POPULATE), and whoever needs new memory meanwhile waits for it: the
/// loop waited 15 ms in malloc(). It costs a hash 10 % more time.
fn libsodium(b: *Build, target: Build.ResolvedTarget) *Compile {
    const library = thirdParty(b, target, "sodium", "sodium", list(b, "", @embedFile("vendor/lists/sodium.txt")), &.{
        "-fvisibility=hidden", "-fwrapv", "-flax-vector-conversions",
    });
    const module = library.root_module;
    module.addIncludePath(source(b, "sodium/include/sodium"));
    define(module, list(b, "", @embedFile("vendor/lists/sodium-defines.txt")));
    module.addCMacro("ASM_HIDE_SYMBOL", ".hidden");
    module.addCMacro("TLS", "_Thread_local");
    if (target.result.ptrBitWidth() == 64) define(module, &.{"HAVE_TI_MODE"});
    switch (target.result.cpu.arch) {
        .x86_64 => {
            define(module, &.{
                "HAVE_AMD64_ASM",   "HAVE_AVX_ASM",     "HAVE_CET_H",        "HAVE_CPUID",
                "HAVE_MMINTRIN_H",  "HAVE_EMMINTRIN_H", "HAVE_PMMINTRIN_H",  "HAVE_TMMINTRIN_H",
                "HAVE_SMMINTRIN_H", "HAVE_AVXINTRIN_H", "HAVE_AVX2INTRIN_H", "HAVE_WMMINTRIN_H",
                "HAVE_RDRAND",
            });
            for (list(b, "sodium/", @embedFile("vendor/lists/sodium-x86_64-asm.txt"))) |file|
                module.addAssemblyFile(source(b, file));
        },
        .aarch64 => define(module, &.{"HAVE_ARMCRYPTO"}),
        else => {},
    }
    return library;
}

/// Configured by hand in vendor/curl/curl_config.h: HTTP(S) and SMTP(S) only, TLS by BearSSL.
fn libcurl(b: *Build, target: Build.ResolvedTarget) *Compile {
    const library = thirdParty(b, target, "curl", "curl/lib", list(b, "", @embedFile("vendor/lists/curl.txt")), &.{});
    const module = library.root_module;
    define(module, &.{ "HAVE_CONFIG_H", "BUILDING_LIBCURL", "CURL_STATICLIB", "CURL_HIDDEN_SYMBOLS", "_GNU_SOURCE" });
    module.addCMacro("_FILE_OFFSET_BITS", "64");
    module.addIncludePath(b.path("vendor/curl"));
    module.addIncludePath(source(b, "curl/include"));
    module.addIncludePath(source(b, "curl/lib"));
    module.addIncludePath(source(b, "bearssl/inc"));
    return library;
}

/// What we want from musl itself in place of what Zig puts into static musl binaries from 0.16 on: the allocator
/// (Zig's never gives memory back to the system and lets a double free pass) and memset() (Zig's goes byte by
/// byte: 70 ns for half a KiB, musl's takes 14). In C, so that it is the same on all targets.
fn musl(b: *Build, target: Build.ResolvedTarget) *Compile {
    const library = thirdParty(b, target, "musl", "musl/src", list(b, "", @embedFile("vendor/lists/musl.txt")), &.{
        "-std=c99", "-ffreestanding",
    });
    const module = library.root_module;
    module.addCMacro("_XOPEN_SOURCE", "700");
    const arch = switch (target.result.cpu.arch) {
        .x86_64 => "x86_64",
        .aarch64 => "aarch64",
        .arm, .thumb => "arm",
        else => @panic("name musl's folder for this architecture in musl()"),
    };
    module.addIncludePath(source(b, b.fmt("musl/arch/{s}", .{arch})));
    for ([_][]const u8{ "arch/generic", "src/include", "src/internal", "include" }) |folder|
        module.addIncludePath(source(b, b.fmt("musl/{s}", .{folder})));
    return library;
}

// ---------------------------------------------------------------- small things

fn source(b: *Build, path: []const u8) Build.LazyPath {
    return b.path(b.pathJoin(&.{ sources, path }));
}

fn define(module: *Build.Module, names: []const []const u8) void {
    for (names) |name| module.addCMacro(name, "1");
}

/// The lines of a text, without comments and blank lines. A line without a folder gets `folder` in front.
fn list(b: *Build, folder: []const u8, text: []const u8) []const []const u8 {
    var found: std.ArrayList([]const u8) = .empty;
    var lines = std.mem.tokenizeAny(u8, text, "\r\n");
    while (lines.next()) |line| {
        const end = std.mem.indexOfScalar(u8, line, '#') orelse line.len;
        const word = std.mem.trim(u8, line[0..end], " \t");
        if (word.len == 0) continue;
        const has_folder = std.mem.startsWith(u8, word, "tests/") or std.mem.startsWith(u8, word, "src/");
        found.append(b.allocator, if (has_folder) word else b.fmt("{s}{s}", .{ folder, word })) catch @panic("out of memory");
    }
    return found.items;
}

/// `files` but for those that start with one of `prefixes`.
fn without(b: *Build, files: []const []const u8, prefixes: []const []const u8) []const []const u8 {
    var kept: std.ArrayList([]const u8) = .empty;
    next: for (files) |file| {
        for (prefixes) |prefix| if (std.mem.startsWith(u8, file, prefix)) continue :next;
        kept.append(b.allocator, file) catch @panic("out of memory");
    }
    return kept.items;
}

fn concat(b: *Build, first: []const []const u8, second: []const []const u8) []const []const u8 {
    return std.mem.concat(b.allocator, []const u8, &.{ first, second }) catch @panic("out of memory");
}
