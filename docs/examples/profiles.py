"""An evaluation profile: everything that moves a score besides the model."""

from collections.abc import Mapping
from typing import Any

from harness import hookimpl
from harness.contract import BuildContext
from harness.plugging import Register


@hookimpl
def register_profiles(register: Register) -> None:
    register("plain", f"{__name__}:Plain", summary="one greedy sample, asked without more ado")


class Plain:
    def __init__(self, options: None, context: BuildContext) -> None: ...

    def describe(self) -> Mapping[str, Any]:
        return {
            "name": "plain",
            "version": "1-A",
            "chat": False,
            "sampling": {"temperature": 0.0, "max_tokens": 16},
            "samples": {"default": 1},
            "domains": {"math": {"prompt": "{problem}", "verifier": "exact"}},
        }
