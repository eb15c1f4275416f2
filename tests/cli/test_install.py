#!/usr/bin/env python3
"""What `make install` and `make deb` put where, and that it works from there.

    test_install.py       BUILD is the folder of the build
"""

import gzip
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "tests" / "kit"))

from process import BUILD, folder  # noqa: E402


def make(*words):
    env = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    done = subprocess.run(["make", "-s", f"BUILD={BUILD}", *words], cwd=TREE, env=env,
                          capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run(*argv, cwd=TREE, code=0):
    done = subprocess.run([str(word) for word in argv], cwd=cwd, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == code, f"{argv}: {done.returncode} {done.stdout}{done.stderr}"
    return done.stdout


def files(root):
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


class Installed(unittest.TestCase):
    def setUp(self):
        self.root = folder("install")
        make("install", f"DESTDIR={self.root}", "PREFIX=/opt/tw", "ETC=1")
        self.binary = self.root / "opt/tw/bin/tidewheel"
        self.examples = self.root / "opt/tw/share/doc/tidewheel/examples"

    def test_the_program_runs_and_its_examples_are_right(self):
        self.assertTrue(run(self.binary, "version").startswith("tidewheel "))
        for name in ("tidewheel", "reference"):
            out = run(self.binary, "validate", "-c", self.examples / f"config/{name}.yaml", cwd="/")
            self.assertIn("all is right", out)
        run(self.binary, "test", *sorted((self.examples / "pipelines/tests").glob("*.yaml")), cwd="/")

    def test_the_unit_names_the_program_where_it_is(self):
        unit = (self.root / "opt/tw/lib/systemd/system/tidewheel.service").read_text()
        self.assertEqual(re.findall(r"^ExecStart=(\S+)", unit, re.M), ["/opt/tw/bin/tidewheel"])

    def test_a_configuration_that_is_there_already_stays(self):
        config = self.root / "etc/tidewheel/config/tidewheel.yaml"
        config.write_text("mine")
        make("install", f"DESTDIR={self.root}", "PREFIX=/opt/tw", "ETC=1")
        self.assertEqual(config.read_text(), "mine")

    def test_uninstall_leaves_nothing_but_the_configuration(self):
        make("uninstall", f"DESTDIR={self.root}", "PREFIX=/opt/tw")
        self.assertEqual(files(self.root), {"etc/tidewheel/config/tidewheel.yaml"})

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_the_manual_is_a_manual(self):
        self.assertEqual(run("mandoc", "-T", "lint", self.root / "opt/tw/share/man/man1/tidewheel.1"), "")


@unittest.skipUnless(shutil.which("dpkg-shlibdeps"), "dpkg-dev is not installed")
class Packaged(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.package = TREE / make("deb").strip()

    def field(self, name):
        return run("dpkg-deb", "-f", self.package, name).strip()

    def test_it_depends_on_what_the_program_links_with(self):
        packages = {word.split()[0] for word in self.field("Depends").split(", ")}
        for library in ("librdkafka1", "libyajl2", "libyaml-0-2", "libxxhash0"):
            self.assertIn(library, packages)
        self.assertTrue(any(package.startswith("libhiredis") for package in packages), packages)
        self.assertIn(f"tidewheel {self.field('Version')}\n", run(BUILD / "tidewheel", "version"))

    def test_what_is_in_it(self):
        root = folder("deb")
        run("dpkg-deb", "-x", self.package, root)
        self.assertIn("all is right", run(root / "usr/bin/tidewheel", "validate", "-c",
                                          root / "usr/share/doc/tidewheel/examples/config/tidewheel.yaml", cwd="/"))
        manual = gzip.decompress((root / "usr/share/man/man1/tidewheel.1.gz").read_bytes())
        self.assertEqual(manual, (TREE / "config/man/tidewheel.1").read_bytes())
        run("dpkg-deb", "-e", self.package, root / "DEBIAN")
        self.assertEqual((root / "DEBIAN/conffiles").read_text(), "/etc/tidewheel/config/tidewheel.yaml\n")
        sums = (root / "DEBIAN/md5sums").read_text().splitlines()
        listed = {line.split("  ", 1)[1] for line in sums}
        self.assertEqual(listed, {name for name in files(root) if name.startswith("usr/")})

    @unittest.skipUnless(os.geteuid() == 0, "only root may install a package, even into a folder")
    def test_it_is_installed_and_purged(self):
        root = folder("dpkg")
        for name in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"):
            (root / name).mkdir(parents=True)
        (root / "var/lib/dpkg/status").touch()
        dpkg = ["dpkg", f"--root={root}", "--force-depends", "--force-bad-path", "--log=/dev/null"]
        run(*dpkg, "--install", self.package)
        self.assertIn("tidewheel ", run(root / "usr/bin/tidewheel", "version"))
        self.assertIn("install ok installed", (root / "var/lib/dpkg/status").read_text())
        run(*dpkg, "--purge", "tidewheel")
        self.assertEqual({name for name in files(root) if not name.startswith("var/")}, set())


if __name__ == "__main__":
    unittest.main()
