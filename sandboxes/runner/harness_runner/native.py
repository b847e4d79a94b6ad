"""Programs of a compiled language: made once, then run from memory as often as there are tests."""

from __future__ import annotations

import os
import subprocess

from harness_runner.program import NOT_COMPILED

SOURCE, BINARY = "/tmp/program.cpp", "/tmp/program"
COMMAND = ("/usr/bin/g++", "-std=c++20", "-O2", "-static", "-fno-use-linker-plugin", "-o", BINARY, SOURCE)


def compile_cpp(source: bytes, result: int) -> int:
    """Compile, and write the binary to `result`; its messages go to stderr."""
    with open(SOURCE, "wb") as file:
        file.write(source)
    done = subprocess.run(COMMAND, stdin=subprocess.DEVNULL, stdout=2, check=False)
    if done.returncode:
        os.write(result, NOT_COMPILED)
        return 1
    with open(BINARY, "rb") as file:
        while chunk := file.read(1 << 16):
            view = memoryview(chunk)
            while view:
                view = view[os.write(result, view) :]
    return 0


def image(binary: memoryview) -> int:
    """The binary as a file in memory: a job can execute it, though nothing that it can write to."""
    handle = os.memfd_create("program", os.MFD_CLOEXEC)
    while binary:
        binary = binary[os.write(handle, binary) :]
    return handle


def run(handle: int, result: int) -> int:
    """Become the program; does not return."""
    os.close(result)
    os.set_inheritable(handle, False)
    os.execve(handle, ["program"], {"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"})
