"""Profiles: how output prediction is asked, sampled and judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from harness.contract import BuildContext

TRACES: Final = {
    "name": "traces",
    "version": "1-A",
    "about": "One greedy trace per program, of a model that was taught traces.",
    "chat": False,
    "sampling": {"temperature": 0.0, "max_tokens": 64},
    "samples": {"default": 1},
    "domains": {
        "traced-code": {"prompt": "{problem}", "verifier": {"name": "staged-harness-codethinker/steps"}}
    },
}
CRUX: Final = {
    "name": "cruxeval-o",
    "version": "1-A",
    "about": "CRUXEval-O with a chain of thought; temperature and answer tags as its authors have them.",
    "source": "arXiv 2401.03065, section 4 and appendix",
    "sampling": {"temperature": 0.2, "top_p": 0.95, "max_tokens": 1024},
    "samples": {"default": 1},
    "domains": {
        "code-output": {
            "prompt": "A Python function and an assertion without its right-hand side:\n\n{problem}\n\n"
            "Trace the call step by step. Then complete the assertion with a literal that makes it hold, "
            "between [ANSWER] and [/ANSWER]: [ANSWER]assert f(...) == 42[/ANSWER]",
            "verifier": {"name": "staged-harness-codethinker/literal"},
        }
    },
}


class Described:
    """A profile as plain values (protocol `Profile`)."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def describe(self) -> Mapping[str, Any]:
        """The values, as the core's `Profile` reads them."""
        return self._values


def traces(options: None, context: BuildContext) -> Described:
    """The profile `traces`."""
    return Described(TRACES)


def cruxeval_o(options: None, context: BuildContext) -> Described:
    """The profile `cruxeval-o`."""
    return Described(CRUX)
