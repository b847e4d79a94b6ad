"""Launchers with one mistake each, and a whole one."""

import subprocess

from harness import hookimpl
from harness.contract.launching import RunState


class Process:
    def __init__(self, process):
        self.process = process

    def poll(self):
        return RunState(code=self.process.poll())

    def leave(self, *, interrupted):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Whole:
    width = 2
    run = Process
    log = "ab"

    def __init__(self, options, context):
        pass

    def start(self, launch):
        with launch.log.open(self.log) as log:
            return self.run(subprocess.Popen(launch.command, stdout=log, stderr=subprocess.STDOUT))


class Idle(Whole):
    width = 0


class Cutting(Whole):
    log = "wb"


class Twice(Whole):
    def start(self, launch):
        super().start(launch).process.wait()
        return super().start(launch)


class Praising(Whole):
    class run(Process):
        def poll(self):
            return RunState(code=None if self.process.poll() is None else 0)


class Hasty(Whole):
    class run(Process):
        def poll(self):
            return RunState(code=self.process.poll() or 0)


class Loose(Whole):
    class run(Process):
        def leave(self, *, interrupted):
            pass


class Vague(Whole):
    class run(Process):
        def poll(self):
            return self.process.poll()


@hookimpl
def register_launchers(register):
    for made in (Whole, Idle, Cutting, Twice, Praising, Hasty, Loose, Vague):
        register(made.__name__, f"{__name__}:{made.__name__}")
