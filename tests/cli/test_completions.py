#!/usr/bin/env python3
"""The completions, asked in the shells themselves: bash always, zsh and fish where they are installed.

    test_completions.py       TIDEWHEEL_BIN names another build
"""

import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import time
import unittest

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "tests" / "kit"))

from process import folder  # noqa: E402
from worker import binary  # noqa: E402


def generated(what):
    return subprocess.run([binary(), "generate", what], capture_output=True, text=True, check=True).stdout


def commands():
    """The commands of --help, in its order."""
    text = subprocess.run([binary(), "--help"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^  ([a-z-]+)  +\S", text, re.M)


def flags(command):
    text = subprocess.run([binary(), command, "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^  (?:-\w, |    )(--[a-z-]+) \S", text, re.M))


def options():
    text = subprocess.run([binary(), "list", "options"], capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in text.splitlines()}


class Shell:
    """A folder with files to complete, and what a shell would answer there."""

    def __init__(self):
        self.folder = folder("completions")
        for name in ("a.yaml", "b c.yaml"):
            (self.folder / name).touch()

    def run(self, argv, text):
        done = subprocess.run(argv, input=text, cwd=self.folder, capture_output=True, text=True,
                              timeout=60, check=False)
        assert not done.stderr, done.stderr
        return done.stdout.splitlines()


class Bash(Shell):
    """breaks: the characters at which it cuts words; with them it shows only what follows the last."""

    def ask(self, *words, breaks="=:"):
        cut = [piece for word in words for piece in (re.split(f"([{breaks}])", word) if breaks else [word])]
        kept = [piece for number, piece in enumerate(cut) if piece or number + 1 == len(cut)]
        script = generated("bash") + "\ncompopt() { :; }\n"
        script += f"COMP_WORDBREAKS=$' \\n{breaks}'\nCOMP_WORDS=(tidewheel"
        script += "".join(" '" + piece.replace("'", "'\\''") + "'" for piece in kept) + ")\n"
        script += "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_tidewheel\n"
        script += "((${#COMPREPLY[@]})) && printf '%s\\n' \"${COMPREPLY[@]}\"\ntrue\n"
        return self.run(["bash", "--norc", "--noprofile"], script)


class Fish(Shell):
    def ask(self, *words):
        file = self.folder / ".fish"
        file.write_text(generated("fish"))
        line = " ".join(["tidewheel", *words]).replace("'", "\\'")
        lines = self.run(["fish", "--no-config", "-c", f"source {file}; complete -C '{line}'"], "")
        return [line.split("\t")[0] for line in lines]


class Zsh(Shell):
    """By a terminal, as zsh completes only there."""

    def ask(self, *words):
        (self.folder / ".zfunc").mkdir(exist_ok=True)
        (self.folder / ".zfunc" / "_tidewheel").write_text(generated("zsh"))
        script = self.folder / ".rc"
        script.write_text(
            "PS1='READY '\nfpath=($PWD/.zfunc $fpath)\nautoload -Uz compinit\ncompinit -D -u\n"
            "zstyle ':completion:*' verbose no\n"
            "LISTMAX=10000\nsetopt no_always_last_prompt no_list_ambiguous\n"
            "bindkey '^I' list-choices\nstty -echo 2>/dev/null\n")
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            os.environ.update(TERM="dumb", COLUMNS="400", LINES="1000")
            os.execvp("zsh", ["zsh", "-f", "-i"])
        try:
            self.expect(terminal, b"%|#")
            os.write(terminal, b"source ./.rc\n")
            self.expect(terminal, b"READY ")
            typed = " ".join(["tidewheel", *words]).encode()
            os.write(terminal, typed + b"\t\x15print DONE-$((40 + 2))\n")  # ^U takes the line away
            text = re.sub(rb"\x1b\[[0-9;?<>]*[A-Za-z]", b"", self.expect(terminal, b"DONE-42"))
            return re.findall(r"[^\s]+", text.decode("utf-8", "replace"))
        finally:
            os.close(terminal)
            os.waitpid(pid, 0)

    @staticmethod
    def expect(terminal, pattern):
        text, end = b"", time.monotonic() + 30
        while not re.search(pattern, text):
            assert time.monotonic() < end, text
            if select.select([terminal], [], [], 1)[0]:
                text += os.read(terminal, 65536)
        return text


class InBash(unittest.TestCase):
    def setUp(self):
        self.shell = Bash()

    def test_the_commands(self):
        self.assertEqual(self.shell.ask(""), [*commands(), "--help", "--version"])
        self.assertEqual(self.shell.ask("vali"), ["validate"])

    def test_the_flags_of_each_command(self):
        for command in commands():
            found = set(self.shell.ask(command, "--"))
            self.assertEqual(found, flags(command) | {"--help"}, command)

    def test_every_option(self):
        for words in (["run", "-s", ""], ["run", "--set", ""], ["run", "--set="]):
            found = {word.rstrip("=.") for word in self.shell.ask(*words)}
            self.assertEqual(found, options())

    def test_the_choices_of_an_option(self):
        levels = ["error", "warn", "info", "debug"]
        self.assertEqual(self.shell.ask("run", "-s", "log.level="), levels)
        self.assertEqual(self.shell.ask("run", "--set=log.level="), levels)
        self.assertEqual(self.shell.ask("run", "-s", "redis.allow_eviction=t"), ["true"])
        self.assertEqual(self.shell.ask("run", "-s", "workers="), [])

    def test_where_it_does_not_cut_words_at_an_equals_sign(self):
        self.assertEqual(self.shell.ask("run", "-s", "log.level=i", breaks=""), ["log.level=info"])
        self.assertEqual(self.shell.ask("run", "--set=log.level=i", breaks=""), ["--set=log.level=info"])
        self.assertEqual(self.shell.ask("eval", "--at=e", breaks=""), ["--at=end", "--at=each"])

    def test_files(self):
        self.assertEqual(self.shell.ask("run", "-c", "a"), ["a.yaml"])
        self.assertEqual(self.shell.ask("run", "--config=b"), ["b c.yaml"])
        self.assertEqual(set(self.shell.ask("validate", "")), {"a.yaml", "b c.yaml"})
        self.assertEqual(self.shell.ask("run", "-s", "redis.password_file=a"), ["a.yaml"])

    def test_operands(self):
        self.assertEqual(self.shell.ask("schema", ""), ["config", "pipeline"])
        self.assertEqual(self.shell.ask("generate", "f"), ["fish"])
        self.assertEqual(self.shell.ask("eval", "--at", "e"), ["end", "each"])
        self.assertEqual(self.shell.ask("version", ""), [])


@unittest.skipUnless(shutil.which("fish"), "fish is not installed")
class InFish(unittest.TestCase):
    def setUp(self):
        self.shell = Fish()

    def test_the_commands(self):
        self.assertEqual(set(self.shell.ask("")), set(commands()))

    def test_the_flags_of_each_command(self):
        for command in commands():
            found = {word for word in self.shell.ask(command, "--") if word.startswith("--")}
            self.assertEqual(found, flags(command) | {"--help"}, command)

    def test_options_and_their_choices(self):
        found = {re.split("=", word)[0].rstrip(".") for word in self.shell.ask("run", "-s", "")}
        self.assertEqual(found, options())
        self.assertEqual(self.shell.ask("run", "-s", "log.level=i"), ["log.level=info"])

    def test_files_and_operands(self):
        self.assertIn("a.yaml", self.shell.ask("run", "-c", ""))
        self.assertIn("a.yaml", self.shell.ask("validate", ""))
        self.assertEqual(set(self.shell.ask("schema", "")), {"config", "pipeline"})
        self.assertEqual(set(self.shell.ask("eval", "--at", "e")), {"each", "end"})


@unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
class InZsh(unittest.TestCase):
    def setUp(self):
        self.shell = Zsh()

    def test_the_commands(self):
        self.assertLessEqual(set(commands()), set(self.shell.ask("")))

    def test_the_flags_of_a_command(self):
        for command in ("run", "eval"):
            found = {word.rstrip("=") for word in self.shell.ask(command, "--")}
            self.assertLessEqual(flags(command) | {"--help"}, found, command)

    def test_options_and_their_choices(self):
        found = {word.rstrip("=.") for word in self.shell.ask("run", "-s", "")}
        self.assertLessEqual(options(), found)
        self.assertLessEqual({"error", "warn", "info", "debug"}, set(self.shell.ask("run", "-s", "log.level=")))

    def test_files_and_operands(self):
        self.assertIn("a.yaml", self.shell.ask("run", "-c", ""))
        self.assertLessEqual({"config", "pipeline"}, set(self.shell.ask("schema", "")))
        self.assertLessEqual({"each", "end"}, set(self.shell.ask("eval", "--at", "e")))


if __name__ == "__main__":
    unittest.main()
