"""Lists a study's runs in a text file."""

from harness import hookimpl
from harness.contract import BuildContext, ReportContext, Reported
from harness.plugging import Register


@hookimpl
def register_reporters(register: Register) -> None:
    register("list", f"{__name__}:List", summary="a line per run")


class List:
    def __init__(self, options: None, context: BuildContext) -> None: ...

    def report(self, context: ReportContext) -> Reported:
        path = context.folder / "runs.txt"
        path.write_text("".join(f"{run.arm} {run.seed}\n" for run in context.runs), encoding="utf-8")
        return Reported([path], [f"{len(context.runs)} runs: {path}"])
