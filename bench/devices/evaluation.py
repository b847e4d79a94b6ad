"""`harness eval` on the device, beside the CPU."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from devices.place import PACKAGED, Place, Row, tasks, verdict
from harness.contract import Message
from harness.recording.ledger import read

#: Of the evaluation, and how many verdicts may differ from the CPU's.
PROBLEMS, OTHERWISE = 30, 1

PROFILE = """name = "device"
version = "1"
about = "Chains of the packaged model, greedy."
chat = {chat}
[sampling]
temperature = 0.0
max_tokens = {max_tokens}
[samples]
default = 1
[domains.math]
prompt = "{{problem}}"
verifier = "exact"
"""


def evaluation(place: Place) -> Iterator[Row]:
    """`harness eval` of the packaged model on the device, beside the CPU."""
    folder = place.folder / "evaluation"
    folder.mkdir()
    given = tasks(place, PROBLEMS)
    rows = [
        {"id": f"p{i}", "problem": text(task.prompt), "answer": task.answer} for i, task in enumerate(given)
    ]
    (folder / "chains.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "device.toml").write_text(PROFILE.format(chat="false", max_tokens=24), encoding="utf-8")
    right, began = {}, time.perf_counter()
    for device in dict.fromkeys((place.device, "cpu")):
        right[device] = evaluated(folder, device)
        if device == place.device:
            seconds = time.perf_counter() - began
    mine, cpu = right[place.device], right["cpu"]
    differing = sum(mine[problem] != cpu[problem] for problem in mine)
    good = len(mine) == len(cpu) == PROBLEMS and differing <= OTHERWISE
    yield Row(
        "evaluation", f"right answers, {PROBLEMS} problems, greedy", f"{sum(mine.values())}",
        f"{sum(cpu.values())} on the CPU, {differing} verdicts differ", verdict(good),
    )  # fmt: skip
    yield Row("evaluation", "seconds of the whole command", f"{seconds:.1f}")


def text(prompt: tuple[Message, ...]) -> str:
    return "".join(message.content for message in prompt)


def evaluated(folder: Path, device: str) -> dict[str, bool]:
    """Problem -> whether it was answered right, by an evaluation on a device."""
    runs = folder / device
    command = [
        sys.executable, "-m", "harness", "eval", PACKAGED, "--loader", "packaged", "-b", "chains.jsonl",
        "--profile", "device.toml", "--set", f"device={device}", "--set", "prompt=raw", "--runs", str(runs),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"harness eval: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    (ledger,) = runs.glob("*/main/seed-0/ledger.jsonl")
    samples = [line for line in read(ledger) if line["t"] == "sample"]
    return {line["rollout"]["key"]["task"]: line["verdict"]["status"] == "pass" for line in samples}
