"""A benchmark of three sums: `harness eval MODEL -b local/sums`."""

from collections.abc import Sequence

from harness import hookimpl
from harness.contract import BuildContext, Message, Task
from harness.plugging import Register

SUMS = ((2, 3), (40, 2), (7, 8))


@hookimpl
def register_benchmarks(register: Register) -> None:
    register("sums", f"{__name__}:Sums", summary="three sums")


class Sums:
    #: The number changes when scores stop being comparable, the letter with the interface.
    version = "1-A"

    def __init__(self, options: None, context: BuildContext) -> None:
        #: An optional member: it is recorded with every result.
        self.origin = {"source": "written for this page"}

    def tasks(self) -> Sequence[Task]:
        """Bare problems: how they are asked, and who judges, is the profile's business."""
        return [
            Task(id=f"sums/{a}+{b}", prompt=(Message("user", f"{a}+{b}="),), verifier="", answer=str(a + b))
            for a, b in SUMS
        ]
