"""A judge that looks for the answer anywhere in the completion."""

from harness import hookimpl
from harness.contract import BuildContext, Rollout, Task, Verdict
from harness.plugging import Register
from harness.recording import verifier_hash


@hookimpl
def register_verifiers(register: Register) -> None:
    # It is bounded by construction and cheap, so that no worker process is needed.
    register("anywhere", f"{__name__}:Anywhere", capabilities={"in_process": True, "bounded": True})


class Anywhere:
    def __init__(self, options: None, context: BuildContext) -> None:
        #: Covers code, options and libraries: scores under different hashes do not compare.
        self.hash = verifier_hash(__name__)

    def open(self) -> None: ...

    def verify(self, task: Task, rollout: Rollout) -> Verdict:
        passed = str(task.answer) in rollout.text and not rollout.truncated
        return Verdict(
            status="pass" if passed else "fail",
            score=float(passed),
            verifier=task.verifier,
            verifier_hash=self.hash,
            extracted=str(task.answer) if passed else None,
        )

    def close(self) -> None: ...
