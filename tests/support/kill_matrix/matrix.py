"""The matrix: parts that are killed in an order and at moments of chance, and the table of it."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.kill_matrix.flows import Evaluation, Resumed, Study
from tests.support.kill_matrix.place import BrokenPromise, Place, names, traces, until
from tests.support.kill_matrix.readers import Boards, View
from tests.support.kill_matrix.services import model_server, sandbox_host
from tests.support.places import ROOT

#: What is killed. Each has about the same number of kills.
PARTS: Final = (
    "driver", "arm", "scoring worker", "evaluation", "server", "sandbox host", "view", "board build",
)  # fmt: skip
#: A part is killed before its flow has grown by this share of its whole length.
SHARE: Final = 0.2
#: What may stay in the temporary folder: caches of libraries, which their next process uses again.
KEPT: Final = ("torchinductor_*",)
#: The page with the table, and what the table stands between.
PAGE: Final = ROOT / "docs" / "reference" / "reliability.md"
START: Final = "<!-- kills: written by scripts/kill-matrix --write -->\n"
END: Final = "<!-- /kills -->\n"


@dataclass(frozen=True)
class Row:
    """What came of the kills of one part."""

    part: str
    trainer: str
    kills: int
    #: Kills after which the flow that they hit ended as the unbroken one.
    same: int
    #: Processes, control groups, segments of shared memory and files that are left.
    left: int


class Matrix:
    """All parts of one trainer's study, an evaluation and their readers, to be killed."""

    def __init__(
        self, folder: Path, trainer: str, seed: int, *, say: Callable[[str], None] = lambda line: None
    ) -> None:
        """
        Args:
            seed: of the parts' order and the moments.
            say: told of each kill.
        """
        self._say = say
        self._trainer, self._random = trainer, random.Random(f"{trainer}/{seed}")
        self._seed = seed
        self._before = traces()
        self._place = place = Place(folder)
        self._server, self._host = model_server(place), sandbox_host(place)
        self._kills: Counter[str] = Counter()
        try:
            self._server.start()
            self._host.start()
            self._study = Study(place, trainer)
            self._evaluation = Evaluation(place, self._server, self._host)
            self._boards = Boards(place, self._evaluation.folder)
            self._view = View(place, [self._study, self._evaluation])
            self._cached = names(place.cache)
            self._view.open()
        except BaseException:
            self.end()
            raise

    def run(self, kills: int) -> list[Row]:
        """Kill that many times, let everything end, and look at what is left.

        Raises:
            BrokenPromise: the first thing that is not as it is without kills.
        """
        try:
            # How many numbers a hit takes is the machine's affair, so each has a stream of its own.
            for number, part in enumerate(list(self._deck(kills))):
                self._random = random.Random(f"{self._trainer}/{self._seed}/{number}")
                self._hit(part)
            until(lambda: not self._tend(), "everything ends")
            self._view.close()
            self._server.stop()
            self._host.stop()
            left = self._left()
        finally:
            self.end()
        if left:
            raise BrokenPromise(f"left behind: {', '.join(left)}")
        # Each page was as it should be, and each site that was made.
        same = self._study.same + self._evaluation.same
        same += Counter({"view": self._kills["view"], "board build": self._boards.same})
        return [Row(part, self._trainer, self._kills[part], same[part], len(left)) for part in PARTS]

    def end(self) -> None:
        """End all processes, whatever they are at."""
        for pid in self._place.processes():
            self._place.kill(pid)

    def _deck(self, kills: int) -> Iterator[str]:
        """The parts in an order of chance, each once before any is there again."""
        parts = list(PARTS)
        while kills > 0:
            self._random.shuffle(parts)
            yield from parts[:kills]
            kills -= len(parts)

    def _hit(self, part: str) -> None:
        """Kill the part at a moment of chance, and start it again."""
        flow = self._flow(part)
        site, begun, goal = self._random.randrange(self._boards.length), 0, 0
        self._study.begin()
        self._evaluation.begin()
        while True:
            self._tend()
            flow.begin()
            if part == "board build":
                self._boards.begin()
            if flow.rounds != begun:
                begun = flow.rounds
                goal = flow.size() + self._random.randrange(1, int(SHARE * flow.length))
            reached = self._boards.written() >= site if part == "board build" else flow.size() >= goal
            if reached and self._kill(part, flow):
                self._kills[part] += 1
                done = flow.size() / flow.length
                self._say(f"{sum(self._kills.values())}: {part}; round {flow.rounds}, {done:.0%} written")
                return
            time.sleep(0.002)

    def _flow(self, part: str) -> Resumed:
        """Whose ledgers tell the moment."""
        if part in ("driver", "arm"):
            return self._study
        if part in ("scoring worker", "evaluation", "server", "sandbox host"):
            return self._evaluation
        return self._random.choice([self._study, self._evaluation])

    def _kill(self, part: str, flow: Resumed) -> bool:
        """Kill a process that is this part, and start it again; False if there is none now."""
        service = {"server": self._server, "sandbox host": self._host, "view": self._view}.get(part)
        if service is not None:
            service.kill()
            if service is not self._view:
                flow.hit(part)
        elif part == "board build":
            if not self._one_of([self._boards.pid]):
                return False
            self._boards.kills += 1
        elif part == "scoring worker":
            # Where verifiers are so cheap that they are in the arm's process, a study has none.
            flow = self._random.choice([each for each in (self._study, flow) if each.workers()] or [flow])
            if not self._one_of(flow.workers()):
                return False
            flow.hit(part, ends=False)
        else:
            if not self._one_of(self._study.arms() if part == "arm" else [flow.pid]):
                return False
            flow.hit(part)
        return True

    def _one_of(self, pids: Sequence[int | None]) -> bool:
        there = sorted(pid for pid in pids if pid is not None)
        return bool(there) and self._place.kill(self._random.choice(there))

    def _tend(self) -> bool:
        """Whether anything is under way."""
        self._view.check()
        return any([self._study.tend(), self._evaluation.tend(), self._boards.tend()])

    def _left(self) -> list[str]:
        """What is there that was not before: processes, groups, segments, files."""
        until(lambda: not list(self._place.processes()), "every process ends")
        kept = {path.name for pattern in KEPT for path in self._place.tmp.glob(pattern)}
        left = [f"temporary {path.name}" for path in self._place.tmp.iterdir() if path.name not in kept]
        left += [f"cache {name}" for name in names(self._place.cache) if name not in self._cached]
        return left + sorted(traces() - self._before)


def table(rows: Sequence[Row]) -> str:
    """Rows as Markdown."""
    lines = ["| part | trainer | kills | ended the same | left over |", "|---|---|---:|---:|---:|"]
    lines += [f"| {r.part} | `{r.trainer}` | {r.kills} | {r.same} | {r.left} |" for r in rows]
    kills, same, left = (sum(getattr(row, name) for row in rows) for name in ("kills", "same", "left"))
    lines.append(f"| all | | {kills} | {same} | {left} |")
    return "\n".join(lines)


def placed(text: str, table: str) -> str:
    """The page's text with this table between its two marks."""
    head, start, rest = text.partition(START)
    _, end, foot = rest.partition(END)
    assert start, f"{PAGE} lacks {START}"
    assert end, f"{PAGE} lacks {END}"
    return f"{head}{START}\n{table}\n\n{END}{foot}"
