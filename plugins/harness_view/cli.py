"""`harness view`: a local web page over what there is."""

from __future__ import annotations

import os
import socket
import webbrowser
from pathlib import Path

import click

from harness.contract import DataError

HOST = "127.0.0.1"


@click.command("view")
@click.argument("runs", type=click.Path(path_type=Path), default=Path("runs"))
@click.option(
    "--boards",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of boards. Default: leaderboards, if there is one.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8377, show_default=True, help="Port; 0 takes a free one."
)
@click.option("--open", "in_browser", is_flag=True, help="Open the page in the browser, too.")
def command(runs: Path, boards: Path | None, port: int, in_browser: bool) -> None:
    """Look inside the studies and evaluations in RUNS (default: runs), or inside one of them.

    The page is served to this machine alone, until you interrupt. Its address holds a token that is new with
    each start. It only reads; beside each ledger that is looked into it keeps an index, samples.sqlite, which
    may be deleted.
    """
    import uvicorn

    from harness_view.app import build_app
    from harness_view.guard import new_token
    from harness_view.shelf import Shelf

    # What is shown of a benchmark is what is on this machine.
    os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
    shelf = Shelf(runs, boards if boards is not None else _boards())
    shelf.check()
    token = new_token()
    with _listening(port) as listener:
        bound = listener.getsockname()[1]
        address = f"http://{HOST}:{bound}/?token={token}"
        app = build_app(shelf, token, bound)
        config = uvicorn.Config(app, log_level="warning", server_header=False, lifespan="off")
        click.echo(f"{address}\nends with Ctrl-C")
        if in_browser:
            webbrowser.open(address)
        uvicorn.Server(config).run(sockets=[listener])


def _boards() -> Path | None:
    folder = Path("leaderboards")
    return folder if folder.is_dir() else None


def _listening(port: int) -> socket.socket:
    """A socket of this machine alone; raises DataError if the port is taken."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise DataError(
            f"port {port} cannot be had: {error.strerror}", where="--port", hint="--port 0 takes a free one"
        ) from None
