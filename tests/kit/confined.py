#!/usr/bin/env python3
"""Runs a program under what config/systemd/tidewheel.service allows it, without systemd.

    confined.py PROGRAM [ARGUMENT...]

A system call that is not among SystemCallFilter's ends the program by SIGSYS (the unit only has it fail; here it
is to be noticed), a socket of a family that is not among RestrictAddressFamilies' fails, and with
MemoryDenyWriteExecute nothing that was ever writable can be run (PR_SET_MDWE, Linux 6.3). What the unit
hides of the file system is not hidden.
"""

import ctypes
import os
import re
import socket
import subprocess
import sys

from process import TREE

UNIT = TREE / "config" / "systemd" / "tidewheel.service"
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1
KILL, ALLOW, FAIL = 0x80000000, 0x7FFF0000, 0x00050000
EAFNOSUPPORT = 97
SCMP_CMP_EQ = 4
NETLINK = 16  # the resolver's question for our own addresses; it lives without an answer


class Comparison(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def settings(name):
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(encoding="utf-8"), re.M)


def groups():
    """systemd's @groups: {name: names of system calls and of other groups}"""
    listing = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter"], capture_output=True, text=True,
                             check=True).stdout
    found, name = {}, None
    for line in listing.splitlines():
        if line.startswith("@"):
            name = line.strip()
            found[name] = set()
        elif name and line.startswith(" ") and not line.lstrip().startswith("#"):
            found[name].add(line.strip())
    return found


def opened(names, known):
    """The system calls that the names stand for."""
    return set().union(*(opened(known[name], known) if name.startswith("@") else {name} for name in names))


def allowed():
    known, calls = groups(), set()
    for value in settings("SystemCallFilter"):
        names = opened(value.lstrip("~").split(), known)
        calls = calls - names if value.startswith("~") else calls | names
    return calls | {"execve"}  # ours, below


def confine():
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    filter_ = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(KILL)))

    def add(action, name, family=None):
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            return  # of another architecture
        comparisons = (Comparison * 1)(Comparison(0, SCMP_CMP_EQ, family or 0, 0))
        done = seccomp.seccomp_rule_add_array(filter_, ctypes.c_uint32(action), number,
                                              0 if family is None else 1, comparisons)
        assert done == 0, f"{name}: {done}"

    for name in allowed() - {"socket"}:
        add(ALLOW, name)
    for family in settings("RestrictAddressFamilies")[0].split():
        add(ALLOW, "socket", int(getattr(socket, family)))
    add(FAIL | EAFNOSUPPORT, "socket", NETLINK)
    if settings("MemoryDenyWriteExecute") == ["yes"]:
        assert ctypes.CDLL(None).prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0, "PR_SET_MDWE"
    assert seccomp.seccomp_load(filter_) == 0, "seccomp_load"


if __name__ == "__main__":
    confine()
    os.execv(sys.argv[1], sys.argv[1:])
