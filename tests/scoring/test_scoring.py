"""The scoring pool: real workers, really killed."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.contract.errors import PluginError, UnknownName
from harness.contract.records import Message, PolicyRef, Rollout, RolloutKey, Sampling, Task, Verdict
from harness.scoring import Scorer, VerifierSpec, pool
from harness.scoring.generation import drain_scored
from tests.support.places import ROOT, SUPPORT
from tests.support.waiting import until

DEADLINE = 1.0


def spec(target: str = "Scripted", name: str = "scripted", **more: object) -> VerifierSpec:
    return VerifierSpec(name=name, target=f"tests.support.scoring_verifiers:{target}", **more)  # type: ignore[arg-type]


def pair(text: str, verifier: str = "scripted") -> tuple[Task, Rollout]:
    task = Task(id="t", prompt=(Message("user", "?"),), verifier=verifier, answer="1")
    rollout = Rollout(
        key=RolloutKey("r", "eval", "", 0, "t", 0),
        prompt_ids=(1, 2),
        completion_ids=(3,),
        text=text,
        finish="stop",
        policy=PolicyRef(weights_sha="w"),
        sampling=Sampling(),
    )
    return task, rollout


@pytest.fixture(scope="module")
def scorer() -> Iterator[Scorer]:
    """With a deadline that nothing misses which ends at all, however busy the machine."""
    with Scorer({"scripted": spec()}, workers=2, deadline=60) as scorer:
        scorer.score_many([pair("echo warm")])
        yield scorer


@pytest.fixture(scope="module")
def hasty() -> Iterator[Scorer]:
    """For what never ends."""
    with Scorer({"scripted": spec()}, workers=2, deadline=DEADLINE) as scorer:
        scorer.score_many([pair("echo warm")])
        yield scorer


@pytest.mark.parametrize("place", ["in the driver", "in a worker", "on its own"])
def test_what_the_engine_gave_up_is_given_to_no_verifier(place: str) -> None:
    """It is decided here, once: no verifier has to know, and a flaky server is never a failure."""
    mine = {
        "in the driver": spec("Unaskable", in_process=True),
        "in a worker": spec("Unaskable"),
        "on its own": spec("UnaskableElsewhere", submits=True),
    }[place]
    task, rollout = pair("431")
    lost = replace(rollout, finish="abort", text="", completion_ids=(), reason="connection reset")
    told: list[Verdict] = []
    with Scorer({"scripted": mine}, workers=1, deadline=60) as scorer:
        scorer.submit(task, lost, told.append)
        told += [scorer.begin(task, lost).result(), *scorer.score_many([(task, lost)])]
        hashes = scorer.hashes()
    for verdict in told:
        assert (verdict.status, verdict.score, verdict.judged) == ("infra_error", None, False)
        assert verdict.reason == "the engine gave up: connection reset"
        assert verdict.verifier_hash == hashes["scripted"]
    assert len(told) == 3


def quickest(trial: Callable[[], float], limit: float) -> float:
    """Seconds that it takes when the machine lets it: what others delay is tried again."""
    seconds = math.inf
    for _ in range(6):
        seconds = min(seconds, trial())
        if seconds < limit:
            break
    return seconds


def test_verdicts_keep_the_order_of_the_pairs(scorer: Scorer) -> None:
    verdicts = scorer.score_many([pair(f"echo {i}") for i in range(1500)])
    assert [v.extracted for v in verdicts] == [str(i) for i in range(1500)]
    assert {(v.status, v.verifier, v.verifier_hash) for v in verdicts} == {("pass", "scripted", "scripted-1")}
    assert all(v.seconds > 0 for v in verdicts)


def test_judging_happens_in_the_main_thread_of_another_process(scorer: Scorer) -> None:
    alone, where = scorer.score_many([pair("main_thread"), pair("pid")])
    assert alone.extracted == "True"
    assert where.extracted != str(os.getpid())


@pytest.mark.parametrize("verb", ["spin_in_c", "spin_with_signals_blocked", "sleep 60"])
def test_what_cannot_be_interrupted_is_killed_at_the_deadline(hasty: Scorer, verb: str) -> None:
    started = time.monotonic()
    (verdict,) = hasty.score_many([pair(verb)])
    assert verdict.status == "timeout"
    assert verdict.reason.startswith("deadline")
    assert verdict.score == 0.0
    assert time.monotonic() - started >= DEADLINE


@contextlib.contextmanager
def a_crowd(processes: int = 6) -> Iterator[None]:
    """Busy processes of others on the core that the verb `burn` works on."""
    core = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, {{{core}}}); print(flush=True)\nwhile True: pass"
    with contextlib.ExitStack() as stack:
        for _ in range(processes):
            busy = subprocess.Popen(
                [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
            )
            stack.callback(busy.wait)
            stack.callback(busy.kill)
            assert busy.stdout is not None
            stack.enter_context(busy.stdout)
            busy.stdout.readline()
        yield


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this system counts no waiting")
def test_time_without_a_core_is_not_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_crowd(), Scorer({"scripted": spec()}, workers=1, deadline=DEADLINE) as scorer:
        (verdict,) = scorer.score_many([pair("burn 0.5")])
        assert (verdict.status, verdict.extracted) == ("pass", "0.5")
        assert verdict.seconds > DEADLINE, "the crowd left it its time"
        # What never ends is a timeout all the same.
        (spun,) = scorer.score_many([pair("burn 60")])
        assert spun.status == "timeout"
        monkeypatch.setattr(pool, "STARVED", 1)
        (starved,) = scorer.score_many([pair("burn 60")])
    assert (starved.status, starved.score) == ("infra_error", None)
    assert starved.reason.startswith("starved: waited")


def test_a_killed_worker_is_back_within_a_second(hasty: Scorer) -> None:
    def trial() -> float:
        verdicts = hasty.score_many([pair("spin_in_c"), pair("spin_in_c"), pair("spin_in_c")])
        killed = time.monotonic()
        assert [v.status for v in verdicts] == ["timeout"] * 3
        # On a machine that is busy the deadline may pass a worker that is new, too.
        back = hasty.score_many([pair("echo back")])[0]
        assert (back.status, back.extracted) in (("pass", "back"), ("timeout", None))
        return time.monotonic() - killed if back.extracted else math.inf

    assert quickest(trial, 1.0) < 1.0


def test_no_sample_waits_for_one_that_hangs() -> None:
    """More hanging samples than workers, in front of everything else in the queue."""
    finished: dict[int, float] = {}
    texts = ["spin_in_c", "sleep 60", "sleep 60"] + [f"echo {i}" for i in range(200)]
    with Scorer({"scripted": spec()}, workers=2, deadline=10.0) as scorer:
        scorer.score_many([pair("echo warm")])
        started = time.monotonic()
        futures = [scorer.begin(*pair(text)) for text in texts]
        for index, future in enumerate(futures):
            future.add_done_callback(lambda _, index=index: finished.update({index: time.monotonic()}))
        statuses = [future.result().status for future in futures]
        until(lambda: len(finished) == len(texts))
    assert statuses == ["timeout"] * 3 + ["pass"] * 200
    first_late = min(at for index, at in finished.items() if index < 3)
    assert max(at for index, at in finished.items() if index >= 3) < first_late
    assert first_late - started >= 10.0


def test_a_verifier_that_raises_is_our_fault_and_says_where(scorer: Scorer) -> None:
    raised, left = scorer.score_many([pair("raise_error gold is odd"), pair("exit")])
    assert raised.status == left.status == "infra_error"
    assert raised.score is None
    assert "ValueError: gold is odd" in raised.reason
    assert "scoring_verifiers.py" in raised.reason
    assert "SystemExit" in left.reason


def test_an_answer_that_takes_all_memory_is_refused(scorer: Scorer) -> None:
    (verdict,) = scorer.score_many([pair("hog")])
    assert (verdict.status, verdict.reason) == ("timeout", "memory_limit")


def test_a_worker_that_dies_twice_at_a_sample_is_an_infra_error(scorer: Scorer) -> None:
    texts = [f"echo {i}" for i in range(40)]
    verdicts = scorer.score_many([pair(t) for t in [*texts[:20], "segfault", *texts[20:]]])
    dead = verdicts.pop(20)
    assert dead.status == "infra_error"
    assert "signal 11" in dead.reason
    assert [v.extracted for v in verdicts] == [t.removeprefix("echo ") for t in texts]


def test_a_worker_that_dies_once_is_forgiven(scorer: Scorer, tmp_path: Path) -> None:
    (verdict,) = scorer.score_many([pair(f"die_once {tmp_path / 'marker'}")])
    assert (verdict.status, verdict.extracted) == ("pass", "second try")


def test_workers_killed_from_outside_lose_nothing(scorer: Scorer) -> None:
    victims = {int(v.extracted or 0) for v in scorer.score_many([pair("pid") for _ in range(50)])}
    results: list[str | None] = []
    work = [pair("sleep 0.01") for _ in range(60)] + [pair(f"echo {i}") for i in range(300)]
    thread = threading.Thread(target=lambda: results.extend(v.status for v in scorer.score_many(work)))
    thread.start()
    time.sleep(0.1)
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    thread.join(120)
    assert results == ["pass"] * 360


def test_the_process_that_makes_workers_may_die_too() -> None:
    with Scorer({"scripted": spec()}, deadline=60) as scorer:
        scorer.score_many([pair("echo warm")])
        pool = scorer._open_pool()
        pool._forks.process.kill()
        verdicts = scorer.score_many([pair(f"echo {i}") for i in range(50)])
        assert [v.extracted for v in verdicts] == [str(i) for i in range(50)]


def test_no_worker_outlives_the_driver(tmp_path: Path) -> None:
    program = tmp_path / "driver.py"
    program.write_text(
        "import os, sys, threading\n"
        f"sys.path[:0] = [{str(ROOT)!r}]\n"
        "from tests.scoring.test_scoring import pair, spec\n"
        "from harness.scoring import Scorer\n"
        "scorer = Scorer({'scripted': spec()}, deadline=60)\n"
        "print(scorer.score_many([pair('pid')])[0].extracted, flush=True)\n"
        "threading.Timer(0.5, lambda: os._exit(9)).start()\n"
        "scorer.score_many([pair('spin_in_c')])\n"
    )
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 9, done.stderr
    worker = Path(f"/proc/{int(done.stdout)}")
    until(lambda: not worker.exists(), 30, what="the worker's end")


def test_what_a_verifier_prints_stays_off_standard_output(tmp_path: Path) -> None:
    program = tmp_path / "driver.py"
    program.write_text(
        "import sys\n"
        f"sys.path[:0] = [{str(ROOT)!r}]\n"
        "from tests.scoring.test_scoring import pair, spec\n"
        "from harness.scoring import Scorer\n"
        "with Scorer({'scripted': spec()}) as scorer:\n"
        "    print(scorer.score_many([pair('chatter')])[0].extracted)\n"
    )
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=300)
    assert done.stdout == "said\n", done.stderr
    assert "must not reach" in done.stderr


def test_inline_verifiers_start_no_process() -> None:
    with Scorer({"scripted": spec(in_process=True)}) as scorer:
        verdict, raised = scorer.score_many([pair("pid"), pair("raise_error x")])
        assert verdict.extracted == str(os.getpid())
        assert raised.status == "infra_error"
        assert scorer._pool is None
        assert scorer.hashes() == {"scripted": "scripted-1"}


def test_inline_and_pooled_verifiers_mix_in_one_call(scorer: Scorer) -> None:
    specs = {"scripted": spec(), "here": spec(name="here", in_process=True)}
    with Scorer(specs) as scorer:
        verdicts = scorer.score_many([pair("pid", name) for name in ("here", "scripted", "here")])
        assert [v.extracted == str(os.getpid()) for v in verdicts] == [True, False, True]
        assert scorer.hashes() == {"scripted": "scripted-1", "here": "scripted-1"}


@pytest.mark.parametrize("inline", [True, False])
def test_a_verifier_that_cannot_open_says_so_on_every_verdict(inline: bool) -> None:
    with Scorer({"scripted": spec("CannotOpen", in_process=inline)}) as scorer:
        verdicts = scorer.score_many([pair("echo a"), pair("echo b")])
    assert [v.status for v in verdicts] == ["infra_error"] * 2
    assert all("no such library" in v.reason for v in verdicts)


def test_a_verifier_that_returns_no_verdict_is_an_infra_error() -> None:
    with Scorer({"scripted": spec("WrongType")}) as scorer:
        (verdict,) = scorer.score_many([pair("echo a")])
    assert verdict.status == "infra_error"
    assert "bool" in verdict.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("score=nan", "the verdict's score is nan, outside [0, 1]"),
        ("score=1.5", "the verdict's score is 1.5, outside [0, 1]"),
        ("score=-0.1", "the verdict's score is -0.1, outside [0, 1]"),
        ("status=passed", "the verdict's status is 'passed'"),
    ],
)
@pytest.mark.parametrize(
    "judging",
    [
        {"scripted": spec("WrongScore")}, {"scripted": spec("WrongScore", in_process=True)},
        {"background": spec("WrongScoreBehind", "background", submits=True)},
    ],
    ids=["worker", "driver", "its own threads"],
)  # fmt: skip
def test_a_verdict_that_cannot_be_counted_is_an_infra_error(
    judging: dict[str, VerifierSpec], text: str, reason: str
) -> None:
    (name,) = judging
    behind = name == "background"
    with Scorer(judging) as scorer:
        (verdict,) = scorer.score_many([pair(text if behind else f"echo {text}", name)])
    assert (verdict.status, verdict.score) == ("infra_error", None)
    assert reason in verdict.reason


def test_a_verifier_that_cannot_be_built_is_raised_to_the_user() -> None:
    with Scorer({"scripted": spec("CannotBuild")}) as scorer, pytest.raises(PluginError, match="bad build"):
        scorer.score_many([pair("echo a")])


def test_an_unknown_verifier_is_named_with_near_matches(scorer: Scorer) -> None:
    with pytest.raises(UnknownName, match="did you mean 'scripted'"):
        scorer.score_many([pair("echo a", "scriptd")])


def test_a_one_file_plugin_is_rebuilt_in_the_workers(tmp_path: Path) -> None:
    source = (SUPPORT / "scoring_verifiers.py").read_text()
    path = tmp_path / "my_one_file_plugin.py"
    path.write_text(source)
    local = VerifierSpec(name="scripted", target="my_one_file_plugin:Scripted", file=str(path))
    with Scorer({"scripted": local}) as scorer:
        assert scorer.score_many([pair("echo there")])[0].extracted == "there"


def test_closing_ends_what_is_under_way(tmp_path: Path) -> None:
    scorer = Scorer({"scripted": spec()}, deadline=60)
    scorer.score_many([pair("echo warm")])
    results: list[str] = []
    hanging = [pair(f"mark_and_hang {tmp_path / 'marker'}")]
    thread = threading.Thread(target=lambda: results.append(scorer.score_many(hanging)[0].reason))
    thread.start()
    until((tmp_path / "marker").exists)
    started = time.monotonic()
    scorer.close()
    thread.join(30)
    # Well before its deadline.
    assert time.monotonic() - started < 30
    assert results == ["the scorer was closed before it was judged"]
    with pytest.raises(ValueError, match="closed"):
        scorer.score_many([pair("echo late")])


def test_text_that_is_no_unicode_travels(scorer: Scorer) -> None:
    (verdict,) = scorer.score_many([pair("echo \ud800\udfff\x00 \U0001f600")])
    assert verdict.extracted == "\ud800\udfff\x00 \U0001f600"


def test_a_large_response_travels(scorer: Scorer) -> None:
    text = "x" * 3_000_000
    verdicts = scorer.score_many([pair(f"echo {text}") for _ in range(5)])
    assert [v.extracted for v in verdicts] == [text] * 5


# Verifiers that judge many at a time on their own --------------------------------------------------


@pytest.mark.parametrize("way", ["score_many", "begin", "stream"])
def test_every_way_of_asking_reaches_a_verifier_with_sandboxes_of_its_own(way: str) -> None:
    """Training, measuring and evaluating ask in different ways, and get the same."""
    pairs = [pair(text, "background") for text in ("1", "2", "raise", "1")]
    with Scorer({"background": spec("Background", "background", submits=True)}) as scorer:
        if way == "score_many":
            verdicts = scorer.score_many(pairs)
        elif way == "begin":
            verdicts = [future.result() for future in [scorer.begin(*one) for one in pairs]]
        else:
            given: dict[int, Verdict] = {}
            numbered = [(t, replace(r, key=replace(r.key, sample=i))) for i, (t, r) in enumerate(pairs)]
            drain_scored(numbered, scorer, lambda some: given.update({r.key.sample: v for _, r, v in some}))
            verdicts = [given[i] for i in range(len(pairs))]
    assert [v.status for v in verdicts] == ["pass", "fail", "infra_error", "pass"]
    assert [v.score for v in verdicts] == [1.0, 0.0, None, 1.0]
    assert "told to" in verdicts[2].reason
    assert {v.verifier_hash for v in verdicts} == {"background-1"}


def test_a_verifier_without_its_sandbox_gives_infra_errors_and_never_a_zero() -> None:
    with Scorer({"background": spec("Unopenable", "background", submits=True)}) as scorer:
        (verdict,) = scorer.score_many([pair("1", "background")])
        assert (verdict.status, verdict.score) == ("infra_error", None)
        assert "no engine" in verdict.reason
        # Whoever begins a run asks for the hashes first, and is told at once.
        with pytest.raises(OSError, match="no engine"):
            scorer.hashes()


def test_judging_begins_while_the_caller_goes_on(scorer: Scorer) -> None:
    slow, quick = scorer.begin(*pair("sleep 4")), scorer.begin(*pair("echo x"))
    assert quick.result(timeout=30).extracted == "x"
    assert not slow.done()
    assert slow.result(timeout=60).status == "pass"
