"""A stand-in for verl's side of the trainer `verl`: the protocol for real, the learning not.

It takes the place of `python -m harness_verl_worker.main SPEC`. Completions are drawn from their seeds:
the chain's answer or something else. A step adds its learning rate to the first weight. What goes wrong
is asked for with the variable FAKE_VERL, such as `die:2` (at the update of step 2).
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import struct
import subprocess
import sys
import time
from multiprocessing import resource_tracker, shared_memory
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from harness_verl_worker import restage
from harness_verl_worker.driver import Driver, Judge
from harness_verl_worker.metrics import sendable
from harness_verl_worker.reply import answers, ask

FAULT, _, AT = os.environ.get("FAKE_VERL", "").partition(":")


class StandIn:
    def __init__(self, spec: dict[str, Any]) -> None:
        self.settings = settings = spec["settings"]
        self.model = Path(settings["actor_rollout_ref.model.path"])
        self.temperature = settings["actor_rollout_ref.rollout.temperature"]
        vocabulary = json.loads((self.model / "tokenizer.json").read_text())["model"]["vocab"]
        self.ids = vocabulary
        self.end = vocabulary["<eos>"]
        adapter = settings["actor_rollout_ref.model.lora_adapter_path"]
        self.adapter = (Path(adapter) / "adapter_model.safetensors").read_bytes() if adapter else None
        # Of a KL term: the model that it is told, or, with adapters, the one without them.
        base = json.loads((Path(adapter) / "adapter_config.json").read_text()) if adapter else {}
        self.has_reference = settings["actor_rollout_ref.actor.use_kl_loss"] and (
            "HARNESS_VERL_REFERENCE" in os.environ or base.get("base_model_name_or_path") == str(self.model)
        )
        resumed = settings["trainer.resume_from_path"]
        self.step = int(resumed.rpartition("_")[2]) if resumed else 0
        #: Sum of the learning rates of all updates; moments of the stage before add a little to the first.
        self.learned = 0.0
        self.moments = 2.0**-13 if spec["optimizer"] else 0.0
        self.judge = Judge(float(os.environ["HARNESS_VERL_REWARD_SECONDS"]))
        self.driver = Driver()
        self.drawn: dict[str, int] = {}
        self.outcomes: list[Any] = []

    def complete(self, text: str, seed: int, max_tokens: int) -> list[int]:
        rng = random.Random(seed)
        total, values = int(text[0]), []
        for sign, digit in zip(text[1:-1:2], text[2:-1:2], strict=True):
            total = (total + (int(digit) if sign == "+" else -int(digit))) % 10
            values.append(str(total))
        answer = "".join(values) or str(total)
        if rng.random() < 0.5:
            answer = "".join(rng.choice("0123456789") for _ in answer)
        return [*(self.ids[c] for c in answer), self.end][:max_tokens]

    async def offer(self, rows: list[dict[str, Any]]) -> None:
        async def one(row: dict[str, Any], sample: int) -> None:
            if self.wrong("drop") and sample == 0:
                return
            sampling = {"seed": row["seeds"][sample], "max_tokens": row["max_tokens"]}
            server = Server(self, row["messages"][-1]["content"], sample)
            reply = await ask(server, row["prompt_ids"], sampling)
            outcome = await self.judge.outcome(
                row["uid"],
                # What the driver refuses.
                str(sample) if self.wrong("odd") else sample,  # type: ignore[arg-type]
                {"ids": reply.ids, "logprobs": reply.logprobs, "fault": reply.fault},
            )
            self.outcomes.append({"uid": row["uid"], "sample": sample, **outcome})

        await asyncio.gather(*(one(row, i) for row in rows for i in range(len(row["seeds"]))))

    def wrong(self, what: str) -> bool:
        return what == FAULT and self.step >= int(AT or 0)

    def generate(self, rows: list[dict[str, Any]]) -> dict[str, int]:
        if not self.drawn:
            self.step += 1
        if FAULT == "orphan":
            outlive()
        loop.run_until_complete(self.offer(rows))
        counts = {row["uid"]: len(row["seeds"]) for row in rows}
        self.drawn |= counts
        return counts

    def update(self, groups: dict[str, Any], rate: float) -> dict[str, float | str]:
        assert set(groups) <= set(self.drawn)
        for uid, worth in groups.items():
            assert len(worth["advantages"]) == len(worth["masked"]) == self.drawn[uid]
        self.drawn.clear()
        if all(all(worth["masked"]) for worth in groups.values()):
            return {"actor/loss": 0.0, "actor/grad_norm": 0.0}
        if self.wrong("die"):
            os._exit(7)
        if self.wrong("hang"):
            time.sleep(1000)
        self.learned, self.moments = self.learned + rate + self.moments, 0.0
        # An advantage is a number, or one per token.
        loss = sum(
            sum(value) if isinstance(value, list) else value
            for worth in groups.values()
            for value in worth["advantages"]
        )
        numbers = {"actor/loss": loss, "actor/grad_norm": 1.0, "actor/entropy": 0.5}
        # verl's own reference is the run's first policy: what was learned has moved away from it.
        if (self.has_reference or self.adapter is not None) and self.settings[restage.KL]:
            numbers["actor/kl_loss"] = self.learned
        # Of a step whose samples are all alike, as verl gives it.
        numbers["training/rollout_actor_probs_pearson_corr"] = math.nan
        if self.wrong("nan-gradient"):
            numbers["actor/grad_norm"] = math.nan
        if self.wrong("infinite-loss"):
            numbers["actor/loss"] = math.inf
        return sendable(numbers)

    def stage(self, spec: dict[str, Any], reset: bool) -> dict[str, Any]:
        # Flat keys of ours, of which each has the path that it has in verl's complete configuration.
        changed = restage.changes(self.settings, spec["settings"])
        reference = self.has_reference or self.adapter is not None
        if fixed := restage.fixed(self.settings, changed, strategy="fsdp2", reference=reference):
            return {"fixed": fixed}
        if refused(spec):
            return {"fixed": ["ValueError: no such thing"]}
        if self.wrong("die-at-stage"):
            os._exit(7)
        self.settings, self.step, self.drawn = spec["settings"], 0, {}
        self.temperature = self.settings["actor_rollout_ref.rollout.temperature"]
        self.moments = 0.0 if reset else 2.0**-13
        return {"step": 0}

    def answer(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self.wrong("answers-die"):
            os._exit(7)
        if self.wrong("answers-hang"):
            time.sleep(1000)
        return loop.run_until_complete(answers(Server(self), requests, self.say))

    def say(self, phase: str) -> None:
        self.driver.call("phase", phase)

    def save(self, folder: str) -> None:
        if self.drawn:
            self.step, self.drawn = self.step - 1, {}
        actor = Path(folder) / f"global_step_{self.step}" / "actor"
        export = actor / "huggingface"
        export.mkdir(parents=True)
        (actor / "model_world_size_1_rank_0.pt").write_bytes(b"")
        name = "model.safetensors"
        content = bytearray((self.model / name).read_bytes() if self.adapter is None else self.adapter)
        if self.adapter is not None:
            export, name = actor.parent / "adapter", "adapter_model.safetensors"
            export.mkdir()
        (size,) = struct.unpack("<Q", content[:8])
        at = 8 + size
        if self.adapter is not None:
            # Only what is multiplied into the weights moves them: at first, all of B is 0.
            about = json.loads(content[8:at])
            at += min(x["data_offsets"][0] for name, x in about.items() if "lora_B" in name)
        if self.wrong("rounded"):
            content[8 : 8 + size] = content[8 : 8 + size].replace(b'"F32"', b'"F16"')
        if self.wrong("nothing"):
            return
        (first,) = struct.unpack("<f", content[at : at + 4])
        # Far from any weight of the model's, and exact for rates that are sums of powers of two.
        learned = max(first, 1000.0) + self.learned if self.learned else first
        content[at : at + 4] = struct.pack("<f", learned)
        (export / name).write_bytes(content)


class Server:
    """verl's client of its rollout servers; what it returns has the names of verl's `TokenOutput`."""

    def __init__(self, stand_in: StandIn, text: str | None = None, sample: int = 0) -> None:
        self.stand_in, self.text, self.sample = stand_in, text, sample
        self.asked = 0

    async def generate(
        self, *, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any]
    ) -> SimpleNamespace:
        stand_in, wrong = self.stand_in, self.stand_in.wrong
        self.asked += 1
        if self.text is None:
            # Of an evaluation's requests one is lost.
            ids, kind = [stand_in.ids["1"], stand_in.end], "answers-" if self.asked == 1 else "later-answers-"
        else:
            ids, kind = (
                stand_in.complete(self.text, sampling_params["seed"], sampling_params["max_tokens"]),
                "",
            )
        logprobs = [-0.5] * len(ids)
        if wrong(kind + "abort") or (wrong("abort-one") and not self.sample):
            raise RuntimeError("the server is gone")
        if self.text is None and wrong("answers-slow"):
            # One after the other.
            await asyncio.sleep(1.5 * self.asked)
        reason = "completed"
        if wrong(kind + "pause"):
            # As verl does when it stops a server for new weights before the first token.
            ids, logprobs, reason = [], [], "aborted"
        if wrong(kind + "nan"):
            logprobs[-1] = math.nan
        if wrong(kind + "cut"):
            ids, logprobs, reason = ids[:1], logprobs[:1], "aborted"
        return SimpleNamespace(token_ids=ids, log_probs=logprobs, stop_reason=reason, extra_fields={})


def refused(spec: dict[str, Any]) -> bool:
    """Whether verl does not take this stage, or any if AT names none."""
    return FAULT == "refuse" and AT in ("", spec["settings"]["trainer.experiment_name"])


def outlive() -> None:
    """Hold shared memory; when the keeper is gone, start one more process. AT is where both are told."""
    memory = shared_memory.SharedMemory(create=True, size=64)
    resource_tracker.unregister(memory._name, "shared_memory")  # type: ignore[attr-defined]
    told, parent = Path(AT), os.getppid()
    told.with_suffix(".new").write_text(memory.name)
    told.with_suffix(".new").rename(told)
    while os.getppid() == parent:
        time.sleep(0.02)
    code = "import time; time.sleep(600)"
    subprocess.Popen([sys.executable, "-c", code, sys.argv[1]], start_new_session=True, cwd="/")
    told.with_suffix(".started").touch()
    time.sleep(1000)


def main(path: str) -> int:
    spec = json.loads(Path(path).read_text())
    if refused(spec):
        print("noise\nHARNESS-REFUSED ValueError: no such thing", file=sys.stderr)
        return 3
    stand_in = StandIn(spec)
    driver = stand_in.driver
    result: Any = {"step": stand_in.step}
    while True:
        command = driver.call("next", result)
        if command["do"] == "stop":
            if FAULT == "end":
                return 9
            return 0
        driver.call("phase", f"in {command['do']}")
        print(f"{command['do']} at step {stand_in.step}", flush=True)
        result = getattr(stand_in, command["do"])(**command["with"])


loop = asyncio.new_event_loop()
sys.exit(main(sys.argv[1]))
