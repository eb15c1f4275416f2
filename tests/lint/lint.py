#!/usr/bin/env python3
"""What the compiler does not say about the house.

    lint.py              all checks, one line each; exits 1 if one found something

Floors: includes go down or level. Each library in its one place. Floors 1 and 2 have no clock, log,
I/O or thread. Log lines have formats that log.h reads. Each header compiles alone and has its promise
lines. No function over 60 lines, no file over 500. The format is clang-format's. No name of ours is
one that a library exports: the dynamic linker would give the library ours. What is made from the
tables is in step with them.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import generated

TREE = pathlib.Path(__file__).resolve().parents[2]
BUILD = TREE / os.environ.get("BUILD", "build")
PUBLIC = "include/tidewheel"

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 500

# The floor of each folder of src/, and of the modules that stand on another one.
FOLDERS = {
    "base": 0,
    "json": 1, "window": 1, "commit": 1,
    "config": 2, "decode": 2, "route": 2, "state": 2,
    "sink": 3, "source": 3, "metrics": 3,
    "run": 4,
    "cli": 5, ".": 5,
}
MODULES = {
    "json_text": 0, "suggest": 0,
    "key": 1, "match": 1, "template": 1, "timestamp": 1, "value": 1, "paths": 1, "verdict": 1,
    "quantity": 1, "redis_url": 1, "assign": 1, "expire": 1, "board": 1, "histogram": 1,
    "address": 1,
    "batch": 2, "checkpoint": 2, "checkpoint_adopt": 2, "meta": 2,
    "version": 0, "version.c": 5,  # the number, and the command that says it
    "template.c": 2,  # reads templates from a pipeline; its header is about what it has read
}

# The place of each library, by the start of the header's name.
LIBRARIES = {
    "librdkafka/": {"source"}, "hiredis/": {"sink"}, "openssl/": {"sink"}, "yajl/": {"json"}, "yaml.h": {"config"},
    "microhttpd.h": {"metrics"}, "xxhash.h": {"base", "commit", "config", "route", "state"},
}

# What floors 1 and 2 do not do: they are told the time, and they return.
FORBIDDEN_INCLUDES = {
    "tidewheel/clock.h", "tidewheel/log.h", "pthread.h", "threads.h", "sys/socket.h", "sys/time.h",
    "unistd.h", "fcntl.h", "poll.h", "signal.h",
}
FORBIDDEN_CALLS = re.compile(
    r"(?<![.>])\b(time|clock_gettime|gettimeofday|clock_\w+_[mu]s|log_(?:error|warn|info|debug|limited)|fopen|fclose|"
    r"fread|fwrite|fprintf|printf|puts|fputs|open|read|write|close|socket|connect|poll|getenv|pthread_\w+|"
    r"usleep|nanosleep)\s*\(")

# What log.h does not read of printf: flags, widths, other lengths and letters.
UNREAD_CONVERSION = re.compile(r"%(?!(?:\.(?:\*|\d+))?(?:ll?|z|h)?[diuxcfs])\S{0,4}")

# Reasons, not excuses: (check, file): why.
EXCEPTIONS = {
    ("pure", "src/config/yaml.c"): "reads the person's own file, at start only",
    ("pure", "src/config/options.c"): "the environment is one of the four sources of options",
    ("pure", "src/config/expand.c"): "${VAR} is the environment's",
    ("pure", "src/config/options_files.c"): "globs and folders of the person's own files",
    ("pure", "src/config/secret_file.c"): "reads the person's own secrets, at start only",
}


class Source:
    """A C file with its comments and texts blanked out, line for line."""

    def __init__(self, path):
        self.path = path
        self.name = str(path.relative_to(TREE))
        self.text = path.read_text()
        self.code = blank(self.text)

    def includes(self):
        """(line, header, is it quoted)"""
        for number, line in enumerate(self.text.splitlines(), 1):
            if found := re.match(r'\s*#\s*include\s+([<"])([^>"]+)', line):
                yield number, found[2], found[1] == '"'

    @property
    def folder(self):
        parts = pathlib.Path(self.name).parts
        return parts[1] if parts[0] == "src" and len(parts) == 3 else "."

    @property
    def floor(self):
        stem = self.path.stem.removesuffix("_private")
        for name in (self.path.name, stem):
            if name in MODULES:
                return MODULES[name]
        return FOLDERS[self.folder] if self.name.startswith("src/") else None


def blank(text):
    def spaces(match):
        return re.sub(r"[^\n]", " ", match[0])
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', spaces, text,
                  flags=re.S)


def c_files(*folders):
    for folder in folders:
        for path in sorted((TREE / folder).rglob("*.[ch]")):
            yield Source(path)


class House:
    """The floors of the public headers: of the file in src/ that has the same name."""

    def __init__(self):
        self.sources = list(c_files("src"))
        self.headers = list(c_files("include"))
        by_stem = {source.path.stem: source.floor for source in self.sources if source.path.suffix == ".c"}
        self.floors = {}
        for header in self.headers:
            self.floors[f"tidewheel/{header.path.name}"] = MODULES.get(
                header.path.stem, by_stem.get(header.path.stem, said_floor(header)))
        for source in self.sources:
            if source.path.suffix == ".h":
                self.floors[source.name.removeprefix("src/")] = source.floor


def said_floor(header):
    found = re.search(r"Floor: (\d)", header.text)
    return int(found[1]) if found else None


# ---- checks: each yields sentences


def floors(house):
    """Includes go down or level."""
    for source in house.sources:
        for line, header, is_ours in source.includes():
            floor = house.floors.get(header, house.floors.get(f"{source.folder}/{header}"))
            if is_ours and floor is None:
                yield f"{source.name}:{line}: {header} is on no floor"
            elif is_ours and floor > source.floor:
                yield f"{source.name}:{line}: floor {source.floor} includes {header} of floor {floor}"
            elif is_ours and floor == source.floor == 3 and is_other_edge(source, header):
                yield f"{source.name}:{line}: an edge includes another one, {header}"
    for header in house.headers:
        own = house.floors[f"tidewheel/{header.path.name}"]
        for line, name, is_ours in header.includes():
            if is_ours and own is not None and house.floors.get(name, 9) > own:
                yield f"{header.name}:{line}: floor {own} includes {name} of floor {house.floors.get(name)}"


def is_other_edge(source, header):
    owner = [path.parent.name for path in (TREE / "src").rglob(pathlib.Path(header).stem + ".c")]
    return bool(owner) and owner[0] != source.folder


def promises(house):
    """A public header says its floor and its owner, and the floor is the right one."""
    for header in house.headers:
        own = house.floors[f"tidewheel/{header.path.name}"]
        said = said_floor(header)
        if said is None or "Owner:" not in header.text:
            yield f"{header.name}: says no `Floor: N` or no `Owner:`"
        elif own != said:
            yield f"{header.name}: says floor {said}, and its file stands on {own}"


def libraries(house):
    """Each library is included in one place only, and never in include/."""
    for source in [*house.sources, *house.headers]:
        for line, header, _ in source.includes():
            for start, folders in LIBRARIES.items():
                if header.startswith(start) and source.folder not in folders:
                    yield f"{source.name}:{line}: {header} belongs to src/{', '.join(sorted(folders))}"


def pure(house):
    """Floors 1 and 2 have no clock, log, I/O or thread."""
    for source in house.sources:
        if source.floor not in (1, 2) or ("pure", source.name) in EXCEPTIONS:
            continue
        for line, header, _ in source.includes():
            if header in FORBIDDEN_INCLUDES:
                yield f"{source.name}:{line}: floor {source.floor} includes {header}"
        own = set(re.findall(r"^static [^;(]*?\b(\w+)\(", source.code, re.M))
        for number, line in enumerate(source.code.splitlines(), 1):
            found = FORBIDDEN_CALLS.search(line)
            if found and found[1] not in own:
                yield f"{source.name}:{number}: floor {source.floor} calls {found[1]}()"


def logs(house):
    """A log line's format has only conversions that log.h reads."""
    for source in house.sources:
        for call in re.finditer(r"\blog_(?:error|warn|info|debug|limited|line|line_limited)\(", source.code):
            end = source.code.find(";", call.end())
            number = source.code.count("\n", 0, call.start()) + 1
            texts = re.findall(r'"((?:\\.|[^"\\\n])*)"', source.text[call.end():end])
            for found in UNREAD_CONVERSION.finditer("".join(texts).replace("%%", "")):
                yield f"{source.name}:{number}: a log line's format has {found[0]}"


def sizes(house):
    """No function over 60 lines, no file over 500."""
    # Not of tests/unit: a suite is as long as its list of sentences, and a table of cases as it is.
    for source in [*house.sources, *house.headers, *c_files("tests/kit", "tests/fuzz", "tests/bench", "tests/sim")]:
        lines = source.code.splitlines()
        if len(lines) > FILE_LINES_MAX and ("sizes", source.name) not in EXCEPTIONS:
            yield f"{source.name}: {len(lines)} lines, {FILE_LINES_MAX} are allowed"
        begun = None
        for number, line in enumerate(lines, 1):
            if line.startswith("{"):
                begun = number
            elif line.startswith("}") and begun:
                if number - begun - 1 > FUNCTION_LINES_MAX:
                    yield f"{source.name}:{begun}: a function of {number - begun - 1} lines"
                begun = None


def alone(house):
    """Each header compiles alone."""
    with tempfile.NamedTemporaryFile("w", suffix=".c") as unit:
        for header in [*house.headers, *(one for one in house.sources if one.path.suffix == ".h")]:
            unit.seek(0)
            unit.truncate()
            unit.write(f'#include "{header.path}"\n#include "{header.path}"\n')
            unit.flush()
            done = run("gcc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                       f"-I{TREE}/include", f"-I{TREE}/src", *pkg_config("--cflags"), unit.name)
            if done.returncode != 0:
                yield f"{header.name}: {first_line(done.stderr)}"


def names(house):
    """No function of ours has the name of one that a library exports."""
    library = BUILD / "libtidewheel.a"
    if not library.exists():
        yield f"{library} is not there: run make first"
        return
    ours = exported(run("nm", "--defined-only", "-g", library).stdout)
    binary = run("ldd", BUILD / "tidewheel").stdout
    for path in re.findall(r"=> (/\S+)", binary):
        if re.search(r"/lib(asan|ubsan|tsan|c|m)\.so", path):
            continue
        theirs = exported(run("nm", "-D", "--defined-only", path).stdout)
        for name in sorted(ours & theirs):
            yield f"{name} is also a name of {pathlib.Path(path).name}"


def exported(listing):
    return {line.split()[2].split("@")[0] for line in listing.splitlines()
            if re.match(r"[0-9a-f]+ [TDBRVW] ", line)}


def in_step(house):
    """Manual, completions, reference and schemas are what the tables say."""
    if not generated.BINARY.exists():
        yield f"{generated.BINARY} is not there: run make first"
        return
    for name in generated.outdated():
        yield f"{name}: run make generated"


def layout(house):
    """The format is clang-format's."""
    if "version 14." not in run("clang-format", "--version").stdout:
        raise Missing("clang-format 14, whose taste is the one that counts,")
    files = [source.path for source in c_files("src", "include", "tests")]
    done = run("clang-format", "--dry-run", "--ferror-limit=1", "-Werror", *files)
    for found in re.finditer(r"^(\S+?):(\d+):\d+: error", done.stderr, re.M):
        yield f"{pathlib.Path(found[1]).relative_to(TREE)}:{found[2]}: run make format"


def clang(house):
    """No warning of clang, which sees others than gcc."""
    if not shutil.which("clang"):
        raise Missing("clang")
    files = [source.path for source in house.sources if source.path.suffix == ".c"]
    done = run("clang", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wshadow", "-Wconversion",
               "-Wstrict-prototypes", "-Wmissing-prototypes", "-fsyntax-only", f"-I{TREE}/include",
               f"-I{TREE}/src", *pkg_config("--cflags"), *files)
    yield from re.findall(r"^\S+:\d+:\d+: (?:warning|error): .*", done.stderr.replace(f"{TREE}/", ""), re.M)


def cppcheck(house):
    """Nothing that cppcheck warns of."""
    if not shutil.which("cppcheck"):
        raise Missing("cppcheck")
    done = run("cppcheck", "-q", "--std=c11", "--enable=warning,performance,portability",
               "--suppressions-list=" + str(TREE / "tests/lint/cppcheck.supp"), "--inline-suppr",
               "-j2", "-D_GNU_SOURCE", f"-I{TREE}/include", f"-I{TREE}/src",
               "--template={file}:{line}: {id}: {message}", TREE / "src")
    yield from (line.replace(f"{TREE}/", "") for line in done.stderr.splitlines() if line.strip())


class Missing(Exception):
    pass


CHECKS = [floors, promises, libraries, pure, logs, sizes, alone, names, in_step, layout, clang, cppcheck]


def run(*argv):
    if not shutil.which(str(argv[0])):
        return subprocess.CompletedProcess(argv, 127, "", f"error: {argv[0]} is not installed")
    return subprocess.run([str(arg) for arg in argv], cwd=TREE, capture_output=True, text=True, check=False)


def pkg_config(what):
    return run("pkg-config", what, "rdkafka", "hiredis", "libssl", "libcrypto", "yajl", "yaml-0.1", "libxxhash",
               "libmicrohttpd").stdout.split()


def first_line(text):
    return next((line for line in text.splitlines() if "error" in line), text.strip()[:200])


def main():
    house = House()
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for check in CHECKS:
        try:
            found = list(check(house))
            outcome = "failed" if found else "passed"
            print(f"{outcome:<8} {check.__name__}: {check.__doc__}", flush=True)
            for sentence in found:
                print(f"    {sentence}")
        except Missing as program:
            outcome = "skipped"
            print(f"skipped  {check.__name__}: {program} is not installed", flush=True)
        counts[outcome] += 1
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
