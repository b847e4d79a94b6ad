"""`harness sandbox`: build what programs run in, check that it contains them, measure how fast it is."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from harness_sandbox import assets
from harness_sandbox.build import build_sandbox
from harness_sandbox.pool import SandboxPool

from harness.contract import HarnessError
from harness.support import cache_folder

KINDS = ("docker", "namespaces", "bubblewrap", "docker-run")

KIND = click.option("--kind", default="auto", show_default=True, help="The sandbox kind.")


@click.group()
def command() -> None:
    """Sandboxes for programs that a model wrote: build, check, bench."""


@command.command("build")
@click.option("--language", type=click.Choice(["python", "cpp"]), default="python", show_default=True)
@click.option(
    "--package",
    "packages",
    multiple=True,
    help="Also include this installed package, such as numpy; repeatable.",
)
@click.option("--no-docker", is_flag=True, help="Build only the file tree, which all kinds but Docker's use.")
def build(language: str, packages: Sequence[str], no_docker: bool) -> None:
    """Build the file tree and, without --no-docker, the Docker image; needs no registry and no network."""
    from harness_sandbox import rootfs

    started = time.monotonic()
    tree = rootfs.build(cache_folder(), packages, language)
    click.echo(f"tree   {tree} ({time.monotonic() - started:.1f} s)")
    if no_docker:
        return
    from harness_docker import engine, image

    started = time.monotonic()
    tag = image.build(engine.connect(), cache_folder(), packages, language)
    click.echo(f"image  {tag} ({time.monotonic() - started:.1f} s)")


@command.command("check")
@KIND
@click.option(
    "--corpus",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of programs whose first line names the right verdicts. Default: the built-in ones.",
)
@click.option("--only", metavar="TEXT", help="Only programs whose name contains TEXT.")
@click.option(
    "--yes-unsafe",
    is_flag=True,
    help="Allow --kind unsafe-local, which runs the programs as you, unconfined.",
)
@click.pass_context
def check(ctx: click.Context, kind: str, corpus: Path | None, only: str | None, yes_unsafe: bool) -> None:
    """Run hostile programs and say which of them this host contains.

    Exit code 1 if a verdict is wrong or a program left something behind.
    """
    for name, why in availability():
        click.echo(f"{name:12} {'here' if not why else 'not here: ' + why}")
    options: dict[str, Any] = {"slots": 1, "memory_mb": 512}
    if kind == "unsafe-local" and yes_unsafe:
        options["i_know_what_i_do"] = True
    faults = asyncio.run(_check(kind, corpus or assets.folder("canaries"), only, options))
    if faults:
        click.echo(f"\n{faults} programs were not contained, or got a wrong verdict")
        ctx.exit(1)


async def _check(kind: str, folder: Path, only: str | None, options: dict[str, Any]) -> int:
    from harness_code import corpus
    from harness_sandbox.canary import Canary

    programs = [program for program in corpus.load(folder) if only is None or only in program.name]
    faults, started = 0, time.monotonic()
    with Canary() as canary:
        # Opened inside: the bait in our environment is part of what must not be reached.
        sandboxes = [build_sandbox(kind, options) for _ in range(2)]
        click.echo(f"\n{len(programs)} programs of {folder} in {sandboxes[0].kind}")
        try:
            async for finding in corpus.run(programs, sandboxes, canary):
                faults += bool(finding.faults)
                state = "NOT CONTAINED" if finding.faults else "contained"
                click.echo(
                    f"{state:14} {finding.program.name:26} {finding.verdict:14} {finding.program.threat}"
                )
                for fault in finding.faults:
                    click.echo(f"{'':14}   {fault}")
        finally:
            for sandbox in sandboxes:
                sandbox.close()
    click.echo(f"{len(programs) - faults} of {len(programs)} contained in {time.monotonic() - started:.0f} s")
    return faults


@command.command("bench")
@KIND
@click.option(
    "--jobs",
    default=500,
    show_default=True,
    help="Executions to measure, one after the other as fast as possible.",
)
@click.option("--slots", default=0, help="Jobs at a time; 0 means one per core.")
@click.option(
    "--rate",
    type=float,
    help="Programs that arrive per second, whether or not earlier ones are done, instead of --jobs.",
)
@click.option(
    "--mix",
    type=click.Choice(["lcb"]),
    default="lcb",
    show_default=True,
    help="Which programs arrive with --rate.",
)
@click.option(
    "--seconds", default=20.0, show_default=True, help="With --rate: seconds for which programs arrive."
)
@click.option("--time-limit", default=6.0, show_default=True, help="With --rate: CPU seconds per test.")
@click.option(
    "--all-tests",
    is_flag=True,
    help="With --rate: run all tests of a program instead of stopping at the first failure.",
)
@click.option(
    "--figures",
    type=click.Path(path_type=Path),
    help="With --rate: also write the figures to this file, as JSON.",
)
@click.pass_context
def bench(
    ctx: click.Context,
    kind: str,
    jobs: int,
    slots: int,
    rate: float | None,
    mix: str,
    seconds: float,
    time_limit: float,
    all_tests: bool,
    figures: Path | None,
) -> None:
    """Measure executions per second, latency and queue wait of small programs.

    With --rate, measure whether this host keeps up with programs as a model writes them, and how many cores
    would; exit code 1 if it does not. The mix `lcb` takes recorded answers to LiveCodeBench's problems if
    HARNESS_DATA has them, else programs made with the same counts and times.
    """
    if rate is not None:
        _bench_rate(ctx, kind, slots, rate, seconds, time_limit, all_tests, figures)
        return
    sandbox = build_sandbox(kind, {"slots": slots, "memory_mb": 512})
    try:
        rates = asyncio.run(_bench(sandbox, jobs))
    finally:
        sandbox.close()
    for name, value in rates.items():
        click.echo(f"{name:24} {value}")


def _bench_rate(
    ctx: click.Context,
    kind: str,
    slots: int,
    rate: float,
    seconds: float,
    time_limit: float,
    all_tests: bool,
    path: Path | None,
) -> None:
    from harness.support import data_folder
    from harness_sandbox_cli import openloop, workload

    if rate <= 0 or seconds <= 0 or time_limit <= 0:
        raise HarnessError("--rate, --seconds and --time-limit are above 0")
    works, told = workload.lcb(data_folder(), time_limit=time_limit)
    sandbox = build_sandbox(kind, {"slots": slots, "memory_mb": 512})
    try:
        if not isinstance(sandbox, SandboxPool):
            raise HarnessError(f"the kind {kind!r} does not run on this host", allowed=", ".join(KINDS))
        measured = asyncio.run(
            openloop.measure(sandbox, works, told, rate=rate, seconds=seconds, stop_at_failure=not all_tests)
        )
    finally:
        sandbox.close()
    for name, value in measured.lines():
        click.echo(f"{name:26} {value}")
    if path is not None:
        path.write_text(json.dumps(measured.values(), indent=1) + "\n", encoding="utf-8")
    if not measured.kept_up:
        ctx.exit(1)


@command.command("capacity")
@click.option(
    "--figures",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="The file that 'harness sandbox bench --rate ... --figures FILE' wrote.",
)
@click.option(
    "--gpus", default="32,128,1024", show_default=True, help="Sizes of clusters, in GPUs, comma-separated."
)
@click.option("--samples-per-gpu", type=float, help="Samples that a GPU generates per second.")
@click.option("--code-share", type=float, help="Share of tasks that are code, from 0 to 1.")
@click.option("--tests", type=float, help="Tests per program.")
@click.option("--host-cores", type=int, help="Cores per sandbox host.")
def capacity(figures: Path, gpus: str, **told: float | None) -> None:
    """Size sandbox hosts for clusters of GPUs, from a bench's figures and stated rates."""
    from harness_sandbox_cli import capacity as sizing

    try:
        sizes = [int(part) for part in gpus.split(",")]
    except ValueError:
        raise HarnessError(
            f"{gpus!r} is not a list of numbers", where="--gpus", allowed="32,128,1024"
        ) from None
    given: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    if any(value <= 0 for value in (*sizes, *given.values())):
        raise HarnessError("numbers are above 0")
    assumed, measured = sizing.Assumptions(**given), sizing.load(figures)
    if not measured.kept_up:
        click.echo(f"warning: {figures}: the measured host did not keep up; use a lower --rate", err=True)
    click.echo(f"{sizing.basis(measured, assumed)}\n\n{sizing.table(measured, assumed, sizes)}")


async def _bench(sandbox: Any, jobs: int) -> dict[str, str]:
    from harness.contract import Job

    job = Job("a, b = map(int, input().split())\nprint(a + b)\n", b"3 4\n", memory_mb=256)
    width = sandbox.options.width
    seconds: list[float] = []
    queued: list[float] = []
    left = iter(range(jobs))

    async def client() -> None:
        for _ in left:
            started = time.perf_counter()
            raw = await sandbox.run(job)
            if raw.stdout != b"7\n":
                raise HarnessError(f"a harmless program came back as {raw.status}: {raw.reason}")
            seconds.append(time.perf_counter() - started)
            queued.append(raw.queue_s)

    await asyncio.gather(*[sandbox.run(job) for _ in range(2 * width)])
    started = time.perf_counter()
    await asyncio.gather(*[client() for _ in range(2 * width)])
    spent = time.perf_counter() - started
    seconds.sort()
    return {
        "kind": sandbox.kind,
        "slots": str(width),
        "executions per second": f"{jobs / spent:.1f}",
        "latency p50, ms": f"{1e3 * seconds[len(seconds) // 2]:.1f}",
        "latency p99, ms": f"{1e3 * seconds[int(len(seconds) * 0.99)]:.1f}",
        "queue wait mean, ms": f"{1e3 * sum(queued) / len(queued):.1f}",
    }


@command.command("serve")
@KIND
@click.option("--slots", default=0, help="Jobs at a time; 0 means one per core.")
@click.option(
    "--queue",
    default=1024,
    show_default=True,
    help="Jobs that may wait; further ones are refused with a time to try again.",
)
@click.option(
    "--memory-mb", default=1024, show_default=True, help="Most memory that a job may ask for, in MiB."
)
@click.option(
    "--body-mb",
    type=click.IntRange(1, 255),
    default=128,
    show_default=True,
    help="Largest job with its inputs, in MiB.",
)
@click.option("--language", type=click.Choice(["python", "cpp"]), default="python", show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port", default=8700, show_default=True, help="Port to listen at; 0 picks a free port and prints it."
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the token that clients must send. Default: the variable HARNESS_SANDBOX_TOKEN.",
)
@click.option(
    "--certificate",
    type=click.Path(path_type=Path, exists=True),
    help="Serve TLS with this certificate chain.",
)
@click.option("--key", type=click.Path(path_type=Path, exists=True), help="The certificate's private key.")
@click.option(
    "--drain-seconds", default=60.0, show_default=True, help="Most seconds for finishing jobs after SIGTERM."
)
@click.pass_context
def serve(
    ctx: click.Context,
    kind: str,
    slots: int,
    queue: int,
    memory_mb: int,
    body_mb: int,
    language: str,
    host: str,
    port: int,
    token_file: Path | None,
    certificate: Path | None,
    key: Path | None,
    drain_seconds: float,
) -> None:
    """Let trainers on other machines run programs here, over HTTP.

    Clients are sandboxes of kind `remote`. Refuses to start without a token, unless --host names a loopback
    address. On SIGTERM the jobs under way are finished first.
    """
    try:
        from harness_remote import serve as front
        from harness_remote import tokens
        from harness_remote.options import TOKEN
    except ModuleNotFoundError as error:
        raise HarnessError(
            f"the module {error.name!r} is not installed", hint="pip install 'staged-harness[remote]'"
        ) from None
    if kind in ("unsafe-local", "remote"):
        raise HarnessError(
            f"the kind {kind!r} must not run other people's programs", allowed=", ".join(KINDS)
        )
    serving = front.Serving(
        host=host,
        port=port,
        token=tokens.read(token_file or "", TOKEN),
        host_named=ctx.get_parameter_source("host") == click.core.ParameterSource.COMMANDLINE,
        drain_seconds=drain_seconds,
        body_bytes=body_mb << 20,
        certificate=certificate,
        key=key,
    )
    serving.check()
    options = {"slots": slots, "queue": queue, "memory_mb": memory_mb, "language": language}
    front.serve(build_sandbox(kind, options), serving)


def availability() -> list[tuple[str, str]]:
    """Each kind, and why this host does not have it; empty if it has."""
    from harness_sandbox import bubblewrap, namespaces

    return [
        ("docker", _docker()),
        ("namespaces", namespaces.unavailable()),
        ("bubblewrap", bubblewrap.unavailable()),
    ]


def _docker() -> str:
    try:
        from harness_docker import engine, image

        client = engine.connect(timeout=5)
    except ModuleNotFoundError:
        return "pip install 'staged-harness[docker]'"
    except HarnessError as error:
        return error.what
    try:
        image.require(client, image.name())
    except HarnessError as error:
        return f"{error.what} (next: {error.hint})"
    finally:
        client.close()
    return ""
