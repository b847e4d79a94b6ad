"""The fork server: one job at a time, a fresh process and uid for each, nothing left of it after.

It runs as process 1 of its own pid namespace. So every process of a job is its descendant, `kill(-1)`
reaches them all at once, and "no child is left" is a proof that none survives. What a job is told
and what it says is held in buffers that are wiped before the next fork, so that no job inherits
another's data. The server is the only trusted thing inside; it never interprets what a job says.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from harness_runner import calls, frames, native, program, rpc, trace
from harness_runner.forking import fork
from harness_runner.limits import Confinement, Limits
from harness_runner.streams import Streams
from harness_runner.watch import Outcome, watch

#: Version of the wire; both sides must have the same.
WIRE = 2
#: What programs import most: loaded once, so that a job's import of it costs nothing.
PRELOAD = (
    "array", "ast", "bisect", "calendar", "collections", "copy", "datetime", "decimal", "enum", "fractions",
    "functools", "heapq", "itertools", "json", "math", "operator", "queue", "random", "re", "statistics",
    "string", "struct", "threading", "time", "typing", "unicodedata",
    "harness_runner.held",
)  # fmt: skip
#: Directories that a job can write to, all of them wiped after it.
WRITABLE = ("/tmp", "/dev/shm", "/dev/mqueue")
#: First byte of every result: the walls are up and the program's own code comes next.
STARTED = b"+"


class Server:
    """Serves frames from one descriptor to another until the stream ends."""

    def __init__(self, source: int, sink: int, config: dict[str, Any]) -> None:
        self._source, self._sink = source, sink
        self._root = os.getuid() == 0 and bool(config.get("uid_base"))
        self._uid = _usable(int(config["uid_base"])) if self._root else os.getuid()
        self._warm = bool(config.get("warm"))
        self._pid = os.getpid()
        self._isolated = self._pid == 1
        self._confinement = Confinement(change_uid=self._root, seccomp=bool(config.get("seccomp", True)))
        self._confinement.settle()
        self._python = program.streams()
        self._streams = Streams(
            int(config.get("output_bytes", 1 << 20)), int(config.get("result_bytes", 8 << 20))
        )
        self._asked: tuple[Any, Any] = (None, None)
        self._last_limits = Limits(0, 0, 0, 0, 0)
        self._wipes = (
            [path for path in WRITABLE if os.path.isdir(path)] if self._warm and self._isolated else []
        )

    def hello(self) -> None:
        """Say who we are; the trusted side refuses what it does not expect."""
        fields = {"wire": WIRE, "pid": os.getpid(), "root": self._root, "python": sys.version.split()[0]}
        self._send({"op": "hello", **fields}, {})

    def serve(self) -> None:
        while True:
            frame = frames.read_header(self._read)
            if frame is None:
                return
            header, length = frame
            body = bytearray(length)
            with memoryview(body) as view:
                if frames.read_exactly(self._read, view) < length:
                    return
                if header["op"] == "ping":
                    self._send({"op": "pong"}, {})
                    continue
                self._run(header, frames.slices(header, view))
            _scrub(body)
            if not self._warm:
                return

    def _run(self, header: dict[str, Any], parts: dict[str, memoryview]) -> None:
        limits = self._limits(header)
        self._uid += 2 * self._root
        streams = self._streams
        streams.open(limits, parts.get("stdin"))
        self._confinement.prepare(limits)
        try:
            pid = self._fork(header, parts)
            outcome = watch(pid, streams, limits, calls=int(header.get("calls", 0)))
            clean = self._clean(outcome)
            outcome.blame_other(limits)
            # CPU seconds of the server and of all its jobs so far, for whoever measures.
            spent = sum(os.times()[:4])
            done = {"op": "done", "clean": clean, "spent_s": spent, **outcome.fields()}
            self._send(done, streams.parts())
        finally:
            streams.close()

    def _limits(self, header: dict[str, Any]) -> Limits:
        """The job's limits; most jobs have those of the one before."""
        asked = header["limits"], header.get("calls")
        if asked != self._asked:
            self._asked, self._last_limits = asked, Limits.of(header)
        return self._last_limits

    def _fork(self, header: dict[str, Any], parts: dict[str, memoryview]) -> int:
        """Start the job; its main process. Parts are copied in the child alone, never here."""

        def part(name: str) -> bytes:
            return bytes(parts.get(name, b""))

        mode = header["mode"]
        if mode == "program":
            return self._child(self._uid, lambda: program.run(part("code"), 3))
        if mode == "trace":
            return self._child(self._uid, lambda: traced(part("code"), part("key")), secret=True)
        if mode == "calls":
            return self._child(self._uid, lambda: calls.run(part("code"), part("plan"), 3))
        if mode == "compile":
            return self._child(self._uid, lambda: native.compile_cpp(part("code"), 3))
        if mode == "binary":
            handle = native.image(parts["binary"])
            try:
                return self._child(self._uid, lambda: native.run(4, 3), keep=handle)
            finally:
                os.close(handle)
        if mode != "tests":
            raise frames.FrameError(f"no mode is named {mode!r}")
        ours, theirs = rpc.pair()

        def solution() -> int:
            code = part("code")
            for other in parts.values():
                other[:] = bytes(len(other))
            return rpc.serve(code, 4)

        try:
            self._child(self._uid + 1, solution, keep=theirs, silent=True)
            return self._child(
                self._uid, lambda: rpc.test(part("tests"), part("plan"), 4, 3), keep=ours, secret=True
            )
        finally:
            os.close(ours)
            os.close(theirs)

    def _child(
        self,
        uid: int,
        body: Callable[[], int],
        *,
        keep: int = -1,
        silent: bool = False,
        secret: bool = False,
    ) -> int:
        pid = fork()
        if pid:
            return pid
        code = 125
        try:
            self._streams.adopt(silent=silent)
            if keep >= 0:
                os.dup2(keep, 4)
            os.closerange(4 + (keep >= 0), 1024)
            if not self._isolated:
                os.setsid()
                self._confinement.die_with_parent()
                if os.getppid() != self._pid:
                    os._exit(code)
            os.chdir(WRITABLE[0])
            self._confinement.enter(uid, dumpable=not secret)
            self._python.install()
            # A program can write to the result but not unwrite this: without it, it never ran.
            os.write(3, STARTED)
            code = body()
        except BaseException as error:
            os.write(2, f"harness_runner: {type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(code)

    def _clean(self, outcome: Outcome) -> bool:
        """Leave no process and no file of the job; False when that did not succeed."""
        if self._isolated:
            outcome.reap_all()
            if outcome.strays_left:
                return False
        return all(not os.listdir(path) or self._wipe(path) for path in self._wipes)

    def _wipe(self, path: str) -> bool:
        """Remove a directory's contents with the job's own rights: the server has none over its files."""
        self._confinement.prepare(Limits(5, 5, 256, 0, 0))
        pid = fork()
        if pid == 0:
            status = 1
            try:
                self._confinement.enter(self._uid)
                status = _empty(path)
            finally:
                os._exit(status)
        _, status = os.waitpid(pid, 0)
        return status == 0 and not os.listdir(path)

    def _read(self, view: memoryview) -> int:
        return os.readv(self._source, [view])

    def _send(self, header: dict[str, Any], parts: dict[str, Any]) -> None:
        buffers = [memoryview(buffer) for buffer in frames.pack(header, parts)]
        # In one call, which wakes the reader once, and without joining them: a copy would not be wiped.
        written = os.writev(self._sink, buffers)
        for view in buffers:
            rest = view[written:]
            written = max(written - len(view), 0)
            while rest:
                rest = rest[os.write(self._sink, rest) :]


def preload() -> None:
    """Load what programs import most."""
    for name in PRELOAD:
        __import__(name)


def traced(code: bytes, key: bytes) -> int:
    """Run a program under the tracer; what modules do when they are loaded is none of the program's doing."""
    preload()
    return trace.run(code, key, 3)


def _usable(uid: int) -> int:
    """The uid to count up from: the one asked for, or where a user namespace has fewer, a low one."""
    with open("/proc/self/uid_map", encoding="ascii") as file:
        inside, _, count = (int(field) for field in file.read().split()[-3:])
    return uid if inside <= uid < inside + count - 0x10000 else inside + 1000


def _empty(path: str) -> int:
    """Empty a directory, however deep it goes; 0 when nothing is left."""
    import shutil

    for name in os.listdir(path):
        entry = os.path.join(path, name)
        if os.path.isdir(entry) and not os.path.islink(entry):
            for folder, folders, _ in os.walk(entry):
                os.chmod(folder, 0o700)
                for inner in folders:
                    if not os.path.islink(os.path.join(folder, inner)):
                        os.chmod(os.path.join(folder, inner), 0o700)
            shutil.rmtree(entry)
        else:
            os.unlink(entry)
    return len(os.listdir(path))


def _scrub(buffer: bytearray) -> None:
    buffer[:] = bytes(len(buffer))


def main(config: dict[str, Any] | None = None) -> None:
    """Serve descriptors 0 and 1; `config` is the JSON of the first argument."""
    if config is None:
        config = json.loads(sys.argv[1])
    # The wire moves to descriptors that a job closes; nothing inside may write to it by accident.
    source, sink = os.dup(0), os.dup(1)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    sys.path[:] = [path for path in sys.path if "runner" not in path]
    program.prepare()
    if config.get("warm"):
        preload()
    server = Server(source, sink, config)
    server.hello()
    # Everything so far is shared with every job; a collection there would copy all of it.
    gc.collect()
    gc.freeze()
    server.serve()
