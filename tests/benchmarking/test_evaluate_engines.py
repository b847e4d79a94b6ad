"""`harness eval` with one model behind three engines: the same verifier, and greedily the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("gguf", reason="needs the extra 'gguf'")
pytest.importorskip("aiohttp", reason="needs the extra 'openai'")
pytest.importorskip("math_verify", reason="needs the extra 'math'")

from harness.cli.evaluations import UNANSWERED
from harness.support.folders import cache_folder
from tests.support.data import data_folder
from tests.support.evaluations import lines
from tests.support.heavy import SMALL, smollm2, vllm_python, vllm_serve
from tests.support.runs import harness

BENCHMARKS = ("aime24", "aime25", "math500", "gsm8k")
LOADED = ("smollm2-135m-instruct", "--loader", "gguf")

pytestmark = pytest.mark.heavy


def evaluated(home: Path, engine: Sequence[str], model: Sequence[str] = LOADED) -> Path:
    """The folder of an evaluation on two problems of each benchmark."""
    home.mkdir()
    done = harness(
        "eval", *model, "-b", ",".join(BENCHMARKS), "--profile", "greedy-smoke",
        "--limit", "2", "--override", "sampling.max_tokens=48", *engine,
        cwd=home, seconds=900, HARNESS_CACHE=str(cache_folder()), HARNESS_DATA=str(data_folder()),
    )  # fmt: skip
    # So small a model may answer almost nothing: that is said, and it is no failure.
    assert done.returncode in (0, UNANSWERED), done.stdout + done.stderr
    (folder,) = (home / "runs").iterdir()
    return folder


def test_slices_of_real_benchmarks_through_transformers_vllm_and_a_server(tmp_path: Path) -> None:
    python = vllm_python()
    environment = "{" + ", ".join(f'{name} = "{value}"' for name, value in SMALL.items()) + "}"
    vllm = ("--engine", "vllm", "--set", f"python={python}", "--set", "eager=true")
    folders = {
        "transformers": evaluated(tmp_path / "a", ()),
        "vllm": evaluated(tmp_path / "b", (*vllm, "--set", f"environment={environment}")),
    }
    with vllm_serve(python, smollm2()) as server:
        openai = ("--engine", "openai", "--set", f"servers={server.url}")
        folders["openai"] = evaluated(tmp_path / "c", openai, model=(server.name,))
    texts, hashes = {}, set()
    for engine, folder in folders.items():
        assert {e["heldout"] for e in lines(folder, "evaluation")} == set(BENCHMARKS), engine
        samples = lines(folder, "sample")
        assert len(samples) == 2 * len(BENCHMARKS)
        hashes.add(tuple(sorted({sample["verdict"]["verifier_hash"] for sample in samples})))
        texts[engine] = {sample["rollout"]["key"]["task"]: sample["rollout"]["text"] for sample in samples}
    assert len(hashes) == 1, "one verifier judges them all"
    for other in ("vllm", "openai"):
        same = sum(texts[other][task] == text for task, text in texts["transformers"].items())
        # Kernels round differently: a near-tie between two tokens may go the other way in a long completion.
        assert same >= 5, f"only {same} of 8 completions of {other} are those of transformers"
