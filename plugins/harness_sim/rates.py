"""Source `sim-rates`: simulated items as difficult as real problems, by pass rates that were published of
them.

A problem that the reference model passed k times in n has the smoothed rate p = (k + 1/2) / (n + 1), and as
an item the difficulty b = -ln(p / (1 - p)) / a: a student of ability 0 passes it as often as the reference
did. Subjects stand from easy to hard, as single tasks or as strata of neighbouring rates that never repeat
an item.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np

from harness.contract import BuildContext, DataError, Task, decode, seed_of, uniforms
from harness.planning import resolve
from harness.support import unpacking
from harness_sim.items import item
from harness_sim.options import SimRatesOptions


class _Row(msgspec.Struct):
    id: str
    pass_rate: float


class SimRates:
    """Items of published pass rates (protocol `TaskSource`).

    Raises:
        DataError: there is no such file, a row has no id or rate, or a split has no row.
    """

    #: All items have one verifier, so that no task has to be drawn to know it.
    verifiers: Sequence[str] = ("exact",)

    def __init__(self, options: SimRatesOptions, context: BuildContext) -> None:
        self.options = options
        self.endless = options.form == "strata"
        path = resolve(options.path, context, where="sim-rates.path")
        read = _read(path, path.stat().st_mtime_ns, options.heldout_share)
        rows = [row for row, held_out in read if held_out == (options.split == "heldout")]
        if not rows:
            raise DataError(f"no row in the split {options.split!r}", where=str(path))
        rows.sort(key=lambda row: (-row.pass_rate, row.id))
        rates = (np.array([row.pass_rate for row in rows]) * options.samples + 0.5) / (options.samples + 1)
        if not ((rates > 0) & (rates < 1)).all():
            raise DataError("a pass rate lies outside of 0 to 1", where=str(path))
        self._ids = [row.id for row in rows]
        #: Difficulties of the rows, from easy to hard, shape (rows,).
        self.difficulties = -np.log(rates / (1 - rates)) / options.discrimination
        self._names = self._subjects()
        self._position = {name: i for i, name in enumerate(self._names)}

    def _subjects(self) -> list[str]:
        options, rows = self.options, len(self._ids)
        if self.endless:
            width = len(str(options.strata - 1))
            return [f"level-{i:0{width}d}" for i in range(min(options.strata, rows))]
        if options.count is None:
            return self._ids
        # Copies of a row stand side by side, so that the order stays easy to hard.
        copies = np.diff(np.arange(rows + 1) * options.count // rows).tolist()
        return [f"{name}/{copy}" for name, n in zip(self._ids, copies, strict=True) for copy in range(n)]

    def subjects(self) -> Sequence[str]:
        return self._names

    def fingerprint(self) -> str | None:
        """Its ids and difficulties say all of it."""
        return (
            f"{seed_of('sim-rates', self.difficulties.tobytes().hex(), self.options.model_dump_json()):016x}"
        )

    def rows(self, subject: str) -> range:
        """The rows behind a subject: one of a task, those of neighbouring rates of a stratum.

        Raises:
            DataError: it has no such subject.
        """
        position = self._position.get(subject)
        if position is None:
            raise DataError(f"has no subject {subject!r}", where="task source 'sim-rates'")
        rows, names = len(self._ids), len(self._names)
        start = position * rows // names
        return range(start, max(start + 1, (position + 1) * rows // names) if self.endless else start + 1)

    def draw(self, subject: str, index: int) -> Task:
        """Raises DataError for a subject that it does not have."""
        rows, options = self.rows(subject), self.options
        name = f"{options.split}/{subject}/{index}" if self.endless else subject
        row = rows[0]
        if len(rows) > 1:
            seed = np.array([seed_of("sim-rates", options.split, subject)], dtype=np.uint64)
            row = rows[int(uniforms(seed, index)[0] * len(rows))]
        a, b = options.discrimination, float(self.difficulties[row])
        return item(name, a, b, domain=options.domain, stratum=subject if self.endless else None)

    def get(self, task_id: str) -> Task:
        """Raises DataError for an id that it never gives."""
        if not self.endless:
            return self.draw(task_id, 0)
        split, _, rest = task_id.partition("/")
        subject, _, index = rest.rpartition("/")
        if split != self.options.split or not index.isdecimal():
            raise DataError(f"never gave a task {task_id!r}", where="task source 'sim-rates'")
        return self.draw(subject, int(index))


@lru_cache(maxsize=4)
def _read(path: Path, written: int, share: float) -> list[tuple[_Row, bool]]:
    """The file's rows, and whether each is held out; the runs of a process read a file once.

    Args:
        written: when the file was last changed, so that another content is read anew.
    """
    with unpacking(path) as file:
        rows = [decode(raw, _Row, where=f"{path}, line {i}") for i, raw in enumerate(file, 1) if raw.strip()]
    return [(row, _held_out(row.id, share)) for row in rows]


def _held_out(row: str, share: float) -> bool:
    return (seed_of("sim-rates", row) + 0.5) / 2.0**63 < share
