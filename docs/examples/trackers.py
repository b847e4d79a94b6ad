"""Shows a run's metrics as lines of a file that grows."""

from collections.abc import Mapping

from harness import hookimpl
from harness.contract import BuildContext, TrackedRun
from harness.plugging import Register


@hookimpl
def register_trackers(register: Register) -> None:
    register("lines", f"{__name__}:Lines", summary="a line per step in metrics.txt")


class Lines:
    def __init__(self, options: None, context: BuildContext) -> None: ...

    def start(self, run: TrackedRun) -> None:
        self.file = (run.info.folder / "metrics.txt").open("a", encoding="utf-8")
        self.file.write(f"# {run.id} from step {run.steps}\n")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self.file.write(f"{step} {dict(values)}\n")
        self.file.flush()

    def close(self, *, finished: bool) -> None:
        self.file.write("# done\n" if finished else "# to go on\n")
        self.file.close()
