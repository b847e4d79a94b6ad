"""A cluster on one machine: a driver, 32 stand-in servers, 8 sandbox hosts, and what befalls them.

    python bench/cluster.py                          every scenario, about ten minutes on two cores
    python bench/cluster.py --only steady partition
    python bench/cluster.py --write                  put the table into docs/reference/reliability.md

What is real: the driver is `harness run`, with session, judging, ledger and the engine `openai`; programs run
on hosts of `harness sandbox serve`, which the sandbox kind `remote` asks; nodes are processes that are
killed, hosts are stopped by SIGSTOP, and links are cut between network namespaces (without root or iproute2:
processes on loopback, which are stopped instead; the report says which). What is not: the servers have no
model. They wait as the latency model says (`clusters/latency.py`) and answer as vLLM's server does, token ids
and log-probabilities included:

    tokens of an answer: log-normal, median 4000, spread 0.7, cut at 32768
    seconds: prefill (log-normal, median 0.4, spread 0.4) + tokens * (log-normal, median 0.020, spread 0.25)
    4 answers at once per server at this speed; the time of a server is compressed 20 times

Two tasks of three are sums whose answers are compared, the third is a program with two tests. The trainer
(`clusters/plugin.py`) asks the servers and changes nothing: what a step of training would take comes on top.
Timeouts of the engine are the defaults, compressed like the servers' time; a sandbox host counts as hung
after 2 s, because programs run in real time. Scenarios with the same latency model must come to the same
samples.

Exit code 1 if a sample is lost or is there twice, if a run's exit code is not 0, if samples differ from those
of `steady`, or if the 99th percentile of what a program waits exceeds 5 % of a step.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from clusters import counting
from clusters.latency import Latency
from clusters.machines import TOKEN, VARIABLE, Host, Node
from clusters.network import Network, network
from clusters.scenarios import SCENARIOS, Cluster, Scenario
from harness_sandbox import namespaces

from harness.support import percent, processor

#: Most that the 99th percentile of what a program waits may be of a step.
WAIT_LIMIT: Final = 0.05
PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "reference" / "reliability.md"
BEGIN: Final = "<!-- cluster: written by bench/cluster.py --write -->\n"
END: Final = "<!-- /cluster -->\n"
PLUGIN: Final = Path(__file__).resolve().parent / "clusters" / "plugin.py"
#: One program for this many tasks, as in section 4.4 of arXiv 2504.00829.
TASKS_PER_PROGRAM: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much there is of everything."""

    servers: int = 32
    nodes: int = 8
    hosts: int = 8
    #: Groups of a step, and samples of a group.
    batch: int = 64
    samples: int = 8
    steps: int = 2
    #: Kind of the hosts' sandboxes.
    sandbox: str = "namespaces"
    #: Seconds between two blows, and seconds that each lasts.
    every: float = 8.0
    lasts: float = 5.0
    #: What the engine's timeouts are divided by, and seconds after which a sandbox host counts as hung.
    hurry: float = Latency().compress
    answer_seconds: float = 2.0
    latency: Latency = field(default_factory=Latency)


@dataclass(frozen=True, slots=True)
class Row:
    """What a scenario came to."""

    scenario: Scenario
    #: With the scenario's latency model.
    size: Size
    exit: int
    samples: counting.Samples
    notes: counting.Notes
    served: counting.Served
    #: Cores that all servers used while steps were under way.
    servers_cpu: float
    blows: int

    @property
    def delivered(self) -> float:
        """Tokens per second of the steps, as a share of what the servers could deliver."""
        return self.samples.tokens / self.notes.seconds / self.size.latency.rate(self._slowness)

    @property
    def scheduled(self) -> float:
        """Seconds that servers without any fault need for these steps, over those that they took."""
        steps: dict[int, list[int]] = {}
        for (step, _, _), (_, tokens) in self.samples.outcomes.items():
            steps.setdefault(step, []).append(tokens)
        shortest = counting.shortest(steps.values(), self.size.latency, self._slowness)
        return shortest / self.notes.seconds

    @property
    def _slowness(self) -> list[float]:
        return self.scenario.slowness(self.size.servers)

    @property
    def driver_ms(self) -> float:
        """CPU of the driver's process for one sample, in milliseconds."""
        return 1e3 * self.notes.cpu / self.samples.asked

    def faults(self, steady: Row | None) -> list[str]:
        """Broken promises about samples; none of them is about time."""
        faults = []
        if self.exit:
            faults.append(f"exit code {self.exit}")
        if self.samples.lost:
            faults.append(f"{self.samples.lost} samples lost: {'; '.join(self.samples.reasons[:3])}")
        if self.samples.twice or self.samples.strange:
            faults.append(f"{self.samples.twice} samples twice, {self.samples.strange} that nobody asked for")
        if steady is not None and self.size == steady.size and not self.same(steady):
            faults.append("its samples are not those of the steady run")
        return [f"{self.scenario.name}: {fault}" for fault in faults]

    def late(self) -> list[str]:
        """What took longer than it may."""
        if self.notes.wait_share <= WAIT_LIMIT:
            return []
        share = percent(self.notes.wait_share)
        return [f"{self.scenario.name}: a program waits {share} of a step (99th percentile)"]

    def same(self, other: Row) -> bool:
        return self.samples.outcomes == other.samples.outcomes


def write_recipe(folder: Path, size: Size, nodes: Sequence[Node], hosts: Sequence[Host]) -> Path:
    """The recipe, its plugin and its tasks; returns the recipe."""
    shutil.copy(PLUGIN, folder / "harness_plugin.py")
    number = size.batch * size.steps
    programs = number // TASKS_PER_PROGRAM
    with (folder / "programs.jsonl").open("w") as file:
        for i in range(programs):
            tests = [{"input": f"{i} {k}\n", "output": f"{i + k}\n"} for k in (i + 3, i + 5)]
            limits = {"cpu_seconds": 1, "wall_seconds": 60, "memory_mb": 256}
            row = {
                "id": f"program-{i}",
                "problem": f"Write a program that prints the sum of two numbers, such as {i} and {i + 3}.",
                "answer": {"kind": "stdio", "tests": tests, "limits": limits},
            }
            file.write(json.dumps(row) + "\n")
    with (folder / "sums.jsonl").open("w") as file:
        for i in range(number - programs):
            row = {
                "id": f"sum-{i}",
                "problem": f"What is the sum of {i} and {i + 7}?",
                "answer": str(2 * i + 7),
            }
            file.write(json.dumps(row) + "\n")
    notes, latency = str(folder / "notes.jsonl"), size.latency
    engine = {
        "servers": [url for node in nodes for url in node.urls],
        "prompt": "chat",
        "concurrency": latency.slots,
        "deadline": 1800.0 / size.hurry,
        "backoff": 0.5 / size.hurry,
        "patience": 120.0 / size.hurry,
        "health_every": 10.0 / size.hurry,
    }
    sandbox = {"servers": [host.url for host in hosts], "answer_seconds": size.answer_seconds}
    values = {
        "name": "cluster",
        "seeds": [0],
        "verifier": "exact",
        "model": {"name": "served", "loader": {"name": "local/served"}, "prompt": "chat"},
        "tasks": {
            "train": [
                {"name": "jsonl", "path": "sums.jsonl"},
                {"name": "jsonl", "path": "programs.jsonl", "verifier": "code", "domain": "code"},
            ]
        },
        "verifiers": {"code": {"sandbox": {"name": "local/noted", "notes": notes, "inner": sandbox}}},
        "trainer": {"name": "local/served", "notes": notes, "inner": engine},
        "evaluation": {"each_stage": False},
        "checkpoints": {"min_free_gb": 0.0},
        "report": {"reporters": []},
        "stages": [
            {
                "name": "all",
                "curriculum": "uniform",
                "rollout": {"n": size.samples, "batch": size.batch, "max_tokens": latency.most},
                "optimizer": {"lr": 1e-6},
                "max_steps": size.steps,
            }
        ],
    }
    recipe = folder / "recipe.toml"
    recipe.write_text(toml(values))
    return recipe


def toml(values: dict[str, Any]) -> str:
    """Values as TOML, a line for each field at the top: JSON's texts, numbers and lists are TOML's, too."""

    def inline(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key} = {inline(v)}" for key, v in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(inline, value)) + "]"
        return json.dumps(value)

    return "".join(f"{key} = {inline(value)}\n" for key, value in values.items())


def run(scenario: Scenario, size: Size, net: Network, folder: Path) -> Row:
    """A whole run under one scenario, by new processes on the machines of this network.

    Raises:
        RuntimeError: a machine does not start, or the driver ended before its first step.
    """
    folder.mkdir(parents=True)
    size = replace(size, latency=replace(size.latency, **scenario.latency))
    each = size.servers // size.nodes
    with ExitStack() as stack:
        nodes = [
            Node(net.spot(f"node-{i}"), net.ports(each), size.latency, folder) for i in range(size.nodes)
        ]
        hosts = [Host(net.spot(f"host-{i}"), *net.ports(1), size.sandbox, folder) for i in range(size.hosts)]
        for machine in (*nodes, *hosts):
            stack.callback(machine.end)
            machine.start()
        for machine in (*nodes, *hosts):
            machine.ready()
        cluster = Cluster(net, nodes, hosts, size.every, size.lasts)
        recipe = write_recipe(folder, size, nodes, hosts)
        log = stack.enter_context((folder / "driver.log").open("wb"))
        words = ["run", str(recipe), "--runs", str(folder / "runs")]
        driver = subprocess.Popen(
            [*net.driver.enter, sys.executable, "-m", "harness", *words],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            env={**os.environ, VARIABLE: TOKEN, "HARNESS_CACHE": str(folder / "cache")},
        )  # fmt: skip
        stack.callback(driver.kill)
        notes = folder / "notes.jsonl"
        while driver.poll() is None and not (notes.exists() and notes.stat().st_size):
            time.sleep(0.05)
        scenario.begin(cluster)
        started, before = time.monotonic(), sum(node.cpu_seconds for node in nodes)
        over, thread = threading.Event(), stack.enter_context(ThreadPoolExecutor(1))
        stack.callback(over.set)
        striking = thread.submit(scenario.strike, cluster, over)
        code = driver.wait()
        seconds = time.monotonic() - started
        over.set()
        blows = striking.result()
        used = sum(node.cpu_seconds for node in nodes) - before
    ledgers = list((folder / "runs").glob("*/*/*/ledger.jsonl"))
    if not ledgers or not notes.exists():
        raise RuntimeError(f"the driver ended with {code}: {(folder / 'driver.log').read_text()[-3000:]}")
    return Row(
        scenario,
        size,
        code,
        counting.samples(ledgers[0], steps=size.steps, batch=size.batch, size=size.samples),
        counting.notes(notes),
        counting.served([node.log for node in nodes], size.servers),
        used / seconds,
        blows,
    )


COLUMNS: Final = (
    "scenario", "samples", "lost", "twice", "exit code", "tokens/s of the possible",
    "of a faultless schedule", "program waits, p99", "of a step", "asked again", "driver, ms per sample",
    "servers, cores",
)  # fmt: skip


def table(rows: Sequence[Row]) -> str:
    """Rows as Markdown."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * (len(COLUMNS) - 1)]
    for row in rows:
        samples, notes = row.samples, row.notes
        cells = (
            row.scenario.name, samples.asked, samples.lost, samples.twice + samples.strange, row.exit,
            percent(row.delivered, 0), percent(row.scheduled, 0), f"{notes.wait_p99:.2f} s",
            percent(notes.wait_share), row.served.asked - samples.asked,
            f"{row.driver_ms:.1f}", f"{row.servers_cpu:.2f}",
        )  # fmt: skip
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def report(rows: Sequence[Row], about: str) -> str:
    """The table, and what it was made on."""
    size = rows[0].size
    day = datetime.datetime.now(datetime.UTC).date()
    cores = len(os.sched_getaffinity(0))
    told = [f"- {row.scenario.name}: {row.scenario.about}" for row in rows]
    return "\n".join(
        [
            table(rows),
            "",
            *told,
            "",
            f"{day}, {cores} cores ({processor()}), load {os.getloadavg()[2]:.1f} over the last quarter of "
            f"an hour. {size.servers} servers in {size.nodes} processes, {size.hosts} sandbox hosts "
            f"(`{size.sandbox}`, one slot each); {about}. {size.steps} steps of {size.batch} groups of "
            f"{size.samples}. Servers: {size.latency}.",
            "",
        ]
    )


def placed(page: str, text: str) -> str:
    """The page with this text between its marks."""
    head, begin, rest = page.partition(BEGIN)
    _, end, foot = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE.name} has lost its marks {BEGIN.strip()} and {END.strip()}")
    return f"{head}{begin}\n{text}\n{end}{foot}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--network", choices=("auto", "namespaces", "loopback"), default="auto")
    parser.add_argument("--keep", type=Path, help="make the runs in this new folder, and keep them")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    for name, kind, meaning in (
        ("servers", int, "of all nodes"),
        ("nodes", int, "processes that hold the servers"),
        ("hosts", int, "sandbox hosts"),
        ("batch", int, "groups of a step"),
        ("samples", int, "of a group"),
        ("steps", int, "of each scenario"),
        ("sandbox", str, "kind of the hosts' sandboxes"),
        ("every", float, "seconds between two blows"),
        ("lasts", float, "seconds of a blow"),
        ("answer_seconds", float, "seconds without an answer after which a sandbox host counts as hung"),
    ):
        given_name, default = f"--{name.replace('_', '-')}", getattr(Size(), name)
        parser.add_argument(given_name, type=kind, default=default, help=f"{meaning} (default {default})")
    parser.add_argument(
        "--compress", type=float, default=Latency().compress, help="how much faster servers' time passes"
    )
    given = parser.parse_args(arguments)
    told = vars(given)
    size = Size(
        **{name: told[name] for name in Size.__slots__ if name in told},
        hurry=given.compress,
        latency=Latency(compress=given.compress),
    )
    if given.sandbox == "namespaces" and (why := namespaces.unavailable()):
        print(f"skipped: sandbox hosts of kind `namespaces`: {why}; --sandbox names another kind")
        return 0
    # Ended from outside, too, it leaves no process and no namespace.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    rows, faults = [], []
    with tempfile.TemporaryDirectory(prefix="cluster-") as scratch, network(given.network) as net:
        folder = given.keep or Path(scratch)
        print(f"{net.about}\nservers: {size.latency}", flush=True)
        for scenario in SCENARIOS:
            if scenario.name not in given.only:
                continue
            row = run(scenario, size, net, folder / scenario.name.replace(" ", "-"))
            rows.append(row)
            faults += row.faults(rows[0] if rows[0].scenario.name == "steady" else None) + row.late()
            steps = ", ".join(f"{seconds:.1f}" for seconds in row.notes.steps)
            print(
                f"{scenario.name}: {row.blows} blows; steps of {steps} s, {percent(row.notes.held_up_share)} "
                f"of it for verdicts alone; {len(row.notes.waits)} runs of programs; the busiest server got "
                f"{row.served.skew:.2f} times the mean",
                flush=True,
            )
        text = report(rows, net.about)
    print(text)
    for fault in faults:
        print(f"broken: {fault}", file=sys.stderr)
    if given.write and not faults:
        PAGE.write_text(placed(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
