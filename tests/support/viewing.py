"""Evaluations to look into, a server of `harness view` in this process, and a browser."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness.benchmarking import folder
from harness.benchmarking.profile import load_profile
from harness.benchmarking.run import build_context
from harness.contract.records import PolicyRef, Rollout, RolloutKey, Sampling, Span, Verdict, encode
from harness.plugging.plugins import Plugins
from harness.recording.ledger import SCHEMA
from tests.support.waiting import until

#: What a page must show as text.
EVIL = "<script>document.title='owned'</script><b id=bold>bold</b><img src=x onerror=document.title='owned'>"


@dataclass(frozen=True)
class Answer:
    """A sample to be written."""

    task: str
    sample: int
    text: str
    status: str = "pass"
    extracted: str | None = None
    finish: str = "stop"
    tokens: int = 10
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rollout(self) -> Rollout:
        return Rollout(
            key=RolloutKey("m/main/0", "eval", "sums", 0, self.task, self.sample), prompt_ids=(),
            completion_ids=(), text=self.text, finish=self.finish, policy=PolicyRef(weights_sha="w"),  # type: ignore[arg-type]
            sampling=Sampling(), completion_tokens=self.tokens,
        )  # fmt: skip

    @property
    def verdict(self) -> Verdict:
        return Verdict(
            status=self.status, score=float(self.status == "pass"), verifier="math", verifier_hash="ab12",  # type: ignore[arg-type]
            extracted=self.extracted, **self.evidence,
        )  # fmt: skip

    def line(self, heldout: str = "sums") -> dict[str, Any]:
        """The ledger's line of it."""
        return {
            "t": "sample", "name": "final", "heldout": heldout, "stage": "", "step": 0,
            "rollout": self.rollout, "verdict": self.verdict, "tokens": self.tokens, "prompt_tokens": 3,
            "tail": False,
        }  # fmt: skip


def write_lines(ledger: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Add lines to a ledger."""
    with ledger.open("ab") as file:
        for line in lines:
            file.write(encode(line) + b"\n")


def opened(name: str = "sums") -> dict[str, Any]:
    """The first line of an evaluation's ledger."""
    return {"t": "opened", "schema": SCHEMA, "kind": "evaluation", "model": {"name": "m"}, "seed": 0,
            "run": {"recipe": name, "arm": "main", "seed": 0}}  # fmt: skip


def evaluation(
    runs: Path, plugins: Plugins, answers: Iterable[Answer], *, name: str = "model", finished: bool = True,
    benchmark: str = "sums", options: Mapping[str, Any] | None = None,
) -> Path:  # fmt: skip
    """An evaluation's folder with these answers; of the user's own benchmark `sums`, if no other is named."""
    asked = folder.Asked(
        name=name, model="m", profile={}, samples=2,
        benchmarks={benchmark: dict({"file": str(problems(runs.parent))} if options is None else options)},
    )  # fmt: skip
    profile = load_profile("greedy-smoke", plugins, build_context(asked, plugins))
    asked = folder.Asked(
        name=name, model="m", profile=profile.model_dump(mode="json"), samples=2, benchmarks=asked.benchmarks
    )
    made = folder.create(asked, runs)
    write_lines(made.ledger, [opened(), *(answer.line(benchmark) for answer in answers)])
    if finished:
        write_lines(made.ledger, [{"t": "finished", "at": "2026-01-02T03:04:05Z"}])
    return made.folder


def problems(where: Path) -> Path:
    """The benchmark `sums`: problem `sums/<i>` asks for i + 1, of two levels and subjects."""
    path = where / "sums.toml"
    if not path.exists():
        rows = [
            {"id": f"sums/{i}", "problem": f"What is {i} + 1? <i>Think.</i>", "answer": str(i + 1),
             "level": i % 2 + 1, "subject": "algebra" if i < 5 else "geometry"}
            for i in range(10)
        ]  # fmt: skip
        path.with_suffix(".jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        path.write_text('path = "sums.jsonl"\n[fields]\ntags = ["level", "subject"]\n')
    return path


def answers(*wrong: int) -> list[Answer]:
    """Two samples of each problem of `sums`; those of the named problems are wrong."""
    made = []
    for i in range(10):
        for sample in range(2):
            said = i + (0 if i in wrong else 1)
            text = f"<think>1 more than {i}</think> It is \\boxed{{{said}}}."
            made.append(Answer(f"sums/{i}", sample, text, "fail" if i in wrong else "pass", str(said)))
    return made


SPANS = (Span(0, 4, 0.1, "first"), Span(5, 9, 0.9, "second"))


@dataclass
class Served:
    """A server in this process."""

    port: int
    token: str

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def entrance(self) -> str:
        """The address that `harness view` prints."""
        return f"{self.address}/?token={self.token}"

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
        """(status, headers, body) of a request with the cookie."""
        kept = {"Cookie": f"harness_view_{self.port}={self.token}"}
        return self.ask(path, method, **kept | headers)

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
        """The same without the cookie."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            body = answer.read().decode("utf-8")
        finally:
            connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body


@contextmanager
def served(runs: Path, boards: Path | None = None, *, patience: float = 300.0) -> Iterator[Served]:
    """`harness view` over a folder, without the command around it; pages wait so long for their index."""
    uvicorn = pytest.importorskip("uvicorn")
    pytest.importorskip("starlette")
    from harness_view import keeping
    from harness_view.app import build_app
    from harness_view.guard import new_token
    from harness_view.shelf import Shelf

    token, usual = new_token(), keeping.PATIENCE
    keeping.PATIENCE = patience
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        app = build_app(Shelf(runs, boards), token, port)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            until(lambda: server.started, what="the server starts")
            yield Served(port, token)
        finally:
            server.should_exit = True
            thread.join(30)
            keeping.PATIENCE = usual


@contextmanager
def browser() -> Iterator[Any]:
    """A real Chromium; the test is skipped, with a word, where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium on PATH: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        # Root has no sandbox; every page is this test's own.
        shown = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield shown
        shown.close()


@contextmanager
def page_of(chromium: Any, view: Served, *, let_in: bool = True, **context: Any) -> Iterator[Any]:
    """A page of a browser of its own, which the token has let in."""
    opened = chromium.new_context(**context)
    page = opened.new_page()
    page.set_default_timeout(60_000)
    if let_in:
        page.goto(view.entrance)
    yield page
    opened.close()
