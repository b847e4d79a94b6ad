"""A real language model under verl: SmolLM2-135M through two stages, measured anew between them, rewarded and
scored by the verifier `math`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.recording import ledger
from tests.support.heavy import environment_python, smollm2
from tests.support.runs import harness

pytest.importorskip("gguf", reason="needs the extra 'gguf'")
pytest.importorskip("math_verify", reason="needs the extra 'math'")
pytestmark = [pytest.mark.heavy, pytest.mark.timeout(3600)]

RECIPE = """
name = "smollm2-verl"
verifier = {{ name = "math", thinking = "none", extraction = "any" }}
[model]
name = "{model}"
context_length = 256
[resources]
device = "cpu"
precision = "bf16"
[trainer]
name = "verl"
[[tasks.train]]
name = "reasoning-gym"
dataset = "chain_sum"
verifier = "math"
strata = {{ easy = {{ min_terms = 2, max_terms = 2, min_digits = 1, max_digits = 2 }} }}
[difficulty]
estimator = {{ name = "pass-rate", tasks = 4, samples = 2, sequential = false }}
max_tokens = 16
[[stages]]
name = "one"
select = "p >= 0"
max_steps = 1
rollout = {{ n = 4, batch = 4, max_tokens = 16 }}
optimizer = {{ lr = 1e-5 }}
[[stages]]
name = "two"
reestimate = true
max_steps = 1
rollout = {{ n = 4, batch = 2, max_tokens = 12 }}
loss = {{ kl = 0.01 }}
optimizer = {{ lr = 1e-5 }}
[checkpoints]
min_free_gb = 0.1
[report]
reporters = []
[evaluation]
each_stage = false
[[evaluation.heldout]]
name = "sums"
per_stratum = 6
temperature = 0.0
max_tokens = 16
[[evaluation.heldout.tasks]]
name = "reasoning-gym"
dataset = "chain_sum"
split = "heldout"
verifier = "math"
strata = {{ easy = {{ min_terms = 2, max_terms = 2, min_digits = 1, max_digits = 2 }} }}
"""


def test_two_stages_of_a_real_language_model(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE.format(model=smollm2().path))
    python = environment_python("verl-cpu")
    done = harness("run", "recipe.toml", cwd=tmp_path, seconds=1800, HARNESS_VERL_PYTHON=python)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    run = tmp_path / "runs" / "smollm2-verl-1" / "main" / "seed-0"
    lines = list(ledger.read(run / "ledger.jsonl"))

    def of(kind: str) -> list[dict[str, object]]:
        return [line for line in lines if line["t"] == kind]

    assert [line["stage"] for line in of("labels")] == ["one", "two"]
    assert [(line["stage"], line["step"]) for line in of("stage_finished")] == [("one", 1), ("two", 1)]
    policies = [line["checkpoint"]["policy"]["weights_sha"] for line in of("checkpoint")]  # type: ignore[index]
    assert len({*policies, smollm2().weights_sha}) == 3, "each stage leaves other weights"
    (opened,) = of("opened")
    assert set(opened["verifiers"]) == {"math"}  # type: ignore[call-overload]
    judged = {line["verdict"]["status"] for line in of("sample")}  # type: ignore[index]
    assert judged <= {"pass", "fail", "no_answer"}
    assert "pass" in judged, "SmolLM2 adds two digits now and then"
    assert {line["name"] for line in of("evaluation")} == {"before", "final"}
