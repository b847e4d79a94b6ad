"""What an address asks for: which samples, and where they go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from harness.contract import DataError
from harness.readout import Filter, SampleKey

#: Fields of the form, in its order; the address has them by these names.
FIELDS = ("set", "name", "stage", "step", "task", "status", "tag", "least", "most", "cut", "words", "text")
#: The value of `set` for samples of training.
TRAINING = "~training"


@dataclass(frozen=True, slots=True)
class Asked:
    """The samples that an address asks for."""

    values: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Asked:
        return cls({name: query[name] for name in FIELDS if query.get(name)})

    def get(self, name: str) -> str:
        return self.values.get(name, "")

    @property
    def text(self) -> str:
        """What completions are searched for."""
        return self.get("text")

    def filter(self, closed: Mapping[str, str]) -> Filter:
        """As a filter, which searches nothing of closed sets; raises DataError for what is no number."""
        cut = self.get("cut")
        if cut not in ("", "0", "1"):
            raise DataError(f"{cut!r} does not say whether samples are cut", where="cut", allowed="0, 1")
        return Filter(
            heldout=self.heldout,
            name=self.get("name"),
            stage=self.values.get("stage"),
            step=number("step", self.get("step")),
            task=self.get("task"),
            status=self.get("status"),
            tag=self.get("tag"),
            least=number("least", self.get("least")),
            most=number("most", self.get("most")),
            truncated=None if not cut else cut == "1",
            words=self.get("words"),
            closed=tuple(closed),
        )

    @property
    def heldout(self) -> str | None:
        name = self.get("set")
        return None if not name else "" if name == TRAINING else name

    def query(self, **more: object) -> str:
        """The same as the end of an address, with these fields changed; "" and None take one away."""
        return link("", **{**self.values, **more})


def key_query(key: SampleKey) -> str:
    """A sample's name as the end of an address."""
    values = {
        "in": key.heldout or TRAINING, "of": key.task, "number": key.number, "at": key.name,
        "during": key.stage, "after": key.step, "part": key.part, "replayed": int(key.replayed),
    }  # fmt: skip
    return "?" + urlencode({name: value for name, value in values.items() if value not in ("", 0)})


def key_of(query: Mapping[str, str]) -> SampleKey:
    """The sample that an address names; raises DataError for what is no number."""
    heldout = query.get("in", "")
    return SampleKey(
        "" if heldout == TRAINING else heldout, query.get("of", ""),
        number("number", query.get("number")) or 0, query.get("at", ""), query.get("during", ""),
        number("after", query.get("after")) or 0, number("part", query.get("part")) or 0,
        query.get("replayed") == "1",
    )  # fmt: skip


def link(path: str, **query: object) -> str:
    """An address with these fields; "" and None are left out."""
    shown = {name: value for name, value in query.items() if value not in ("", None)}
    return f"{path}?{urlencode(shown)}" if shown else path


def number(name: str, text: str | None) -> int | None:
    """A field that holds a number, None if it holds nothing; raises DataError for anything else."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise DataError(f"{text!r} is no number", where=name, allowed="a whole number from 0 on")
    return int(text)
