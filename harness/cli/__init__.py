"""The `harness` command.

A verb's module is imported only when the verb is used, so that `--help` and `plugins list` answer at
once. Faults that a user can mend are printed without a trace; anything else is our bug and keeps it.

Exit codes: 0 done, 1 the work failed, 2 what was asked for cannot be done as asked, 3 a score stands but
nearly all of its samples have no answer for one reason, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from harness.cli.lazy import LazyGroup, Verb
from harness.contract.errors import EngineError, HarnessError, TrainingError

__all__ = ["VERBS", "group", "main"]

#: Every verb of the harness itself: name -> module, attribute and help line. One file per verb.
VERBS: dict[str, Verb] = {
    "run": Verb("harness.cli.run", "command", "Run a recipe: measure, train in stages, evaluate, report."),
    "run-arm": Verb("harness.cli.run_arm", "command", ""),
    "plan": Verb("harness.cli.plan", "command", "Print what a run would do, and refuse what would fail."),
    "recipe": Verb("harness.cli.recipe", "command", "Check a recipe, or print every field that it may have."),
    "eval": Verb("harness.cli.eval", "command", "Evaluate a model on benchmarks, or continue an evaluation."),
    "score": Verb("harness.cli.score", "command", "Judge recorded answers again, or import another tool's."),
    "report": Verb(
        "harness.cli.report", "command", "Print an evaluation's scores, or write a study's pages again."
    ),
    "compare": Verb("harness.cli.compare", "command", "Compare two evaluations, or the arms of a study."),
    "runs": Verb("harness.cli.runs", "command", "List the runs of a folder."),
    "show": Verb("harness.cli.show", "command", "Show one run: stages, scores, costs."),
    "board": Verb("harness.cli.board", "command", "Build, check, verify, export and import leaderboards."),
    "verify": Verb("harness.cli.verify", "command", "Judge answers or responses from a file."),
    "plugins": Verb("harness.cli.plugins", "command", "List, examine, disable and enable plugins."),
    "completion": Verb("harness.cli.completion", "command", "Print what a shell reads to complete commands."),
}

#: Errors that mean that correctly specified work failed.
FAILED_WORK = (EngineError, TrainingError)


@click.group(
    cls=LazyGroup,
    verbs=VERBS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--no-plugin", "no_plugin", metavar="NAME", multiple=True, help="Do not load this plugin; repeatable."
)
@click.version_option(package_name="staged-harness", prog_name="harness", message="%(prog)s %(version)s")
def group(no_plugin: tuple[str, ...]) -> None:
    """Train and evaluate reasoning models with difficulty-aware staged reinforcement learning."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        result = group.main(arguments, prog_name="harness", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except HarnessError as error:
        click.echo(f"Error: {error}", err=True)
        return 1 if isinstance(error, FAILED_WORK) else 2
    except (KeyboardInterrupt, click.Abort) as stop:
        next_step = f"\n  next: {stop}" if str(stop) else ""
        click.echo(f"interrupted{next_step}", err=True)
        return 130
    except BrokenPipeError:
        # The reader has closed the pipe (`harness plugins list | head -1`), so nothing more is printed. Click
        # ends with the same code if it notices first.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return result if isinstance(result, int) else 0
