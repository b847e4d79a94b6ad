"""A verb: `harness greet --times 2`, of an installed distribution `harness staged-harness-mine/greet`."""

import click

from harness import hookimpl
from harness.plugging import Register


@hookimpl
def register_commands(register: Register) -> None:
    register("greet", f"{__name__}:command", summary="Say hello.")


@click.command()
@click.option("--times", default=1, show_default=True, help="How often.")
def command(times: int) -> None:
    """Say hello."""
    for _ in range(times):
        click.echo("hello")
