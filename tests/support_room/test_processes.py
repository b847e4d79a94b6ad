"""What Linux says of processes, told by processes that are what it says."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from harness_verl_worker import keeper

from harness.support.processes import process, processor
from tests.support.waiting import alive, until

#: A name with all that a reader could stumble over.
NAMED = "open('/proc/self/comm', 'w').write('a) Z (b'); print(flush=True); input()"


def test_a_process_is_told_whatever_its_name() -> None:
    with subprocess.Popen([sys.executable, "-c", NAMED], stdin=-1, stdout=-1) as child:
        assert child.stdout is not None
        child.stdout.readline()
        seen = process(child.pid)
        assert seen is not None
        assert (seen.name, seen.parent, seen.runs) == ("a) Z (b", os.getpid(), True)
        assert child.pid in keeper.descendants(os.getpid())
        child.kill()
        until(lambda: (one := process(child.pid)) is not None and one.state == "Z")
        assert not alive(child.pid)
        assert not keeper._runs(child.pid)
    assert process(child.pid) is None


def test_its_time_is_counted_with_that_of_the_children_it_waited_for() -> None:
    def spent() -> tuple[float, float]:
        me = process(os.getpid())
        assert me is not None
        return me.cpu_seconds, me.children_cpu_seconds

    own, children = spent()
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.1: pass"], check=True)
    assert spent()[0] == pytest.approx(time.process_time(), abs=0.1)
    assert spent()[0] > own
    assert spent()[1] >= children + 0.08


def test_the_processor_has_a_name() -> None:
    assert processor().strip()
