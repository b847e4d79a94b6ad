"""A replica: vLLM behind JSON lines on standard input and output.

Runs as a script under the interpreter that has vLLM, which need not have the harness: this file imports
nothing of it. Lines in: `{"id", "prompt": [ids], "sampling": {...}}` or `{"abort": [ids]}`; lines out:
`{"ready": version, "seqs"}`, then `{"id", "ids", "text", "finish", "logprobs"}` or `{"id", "error"}` for each
request, and `{"beat": steps}` every few seconds in which it made steps. End of input ends the process and
its children.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from typing import Any

BEAT_SECONDS = 2.0
#: Longest orderly end.
QUIT_SECONDS = 3.0


def main() -> None:
    # vLLM writes to standard output as it likes; the pipe is kept for answers alone.
    out = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    commands: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(commands,), daemon=True).start()
    arguments = json.loads(sys.argv[1])
    import vllm
    from vllm import EngineArgs
    from vllm.usage.usage_lib import UsageContext
    from vllm.v1.engine.llm_engine import LLMEngine

    # vLLM's batches are as large as those of its class `LLM` only for who says so: without a context it runs
    # 128 requests and 2,048 tokens at once on every device. The class leaves statistics out, too.
    engine = LLMEngine.from_engine_args(
        EngineArgs(**{"disable_log_stats": True, **arguments}), usage_context=UsageContext.LLM_CLASS
    )
    seqs = engine.vllm_config.scheduler_config.max_num_seqs
    _say(out, {"ready": vllm.__version__, "seqs": seqs})
    _serve(engine, commands, out)


def _read(commands: queue.SimpleQueue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        commands.put(json.loads(line))
    # The driver closed the pipe, or is gone. vLLM may be in a long step, or hang as it shuts down.
    commands.put({"quit": True})
    time.sleep(QUIT_SECONDS)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _serve(engine: Any, commands: queue.SimpleQueue[dict[str, Any]], out: Any) -> None:
    steps, beat = 0, time.monotonic()
    while True:
        while not engine.has_unfinished_requests() or not commands.empty():
            _take(engine, commands.get(), out)
        for done in engine.step():
            if done.finished:
                _say(out, _answer(done))
        steps += 1
        if time.monotonic() - beat > BEAT_SECONDS:
            beat = time.monotonic()
            _say(out, {"beat": steps})


def _take(engine: Any, command: dict[str, Any], out: Any) -> None:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    if "quit" in command:
        engine.engine_core.shutdown()
        os._exit(0)
    if "abort" in command:
        engine.abort_request([str(i) for i in command["abort"]])
        return
    try:
        engine.add_request(
            str(command["id"]),
            {"prompt_token_ids": command["prompt"]},
            # Of an unfinished one nobody reads what there is so far.
            SamplingParams(**command["sampling"], output_kind=RequestOutputKind.FINAL_ONLY),
        )
    except (ValueError, TypeError, NotImplementedError) as error:
        _say(out, {"id": command["id"], "error": f"{type(error).__name__}: {error}"})


def _answer(done: Any) -> dict[str, Any]:
    number, output = int(done.request_id), done.outputs[0]
    if output.finish_reason not in ("stop", "length"):
        return {"id": number, "error": f"vLLM ended it with {output.finish_reason!r}"}
    ids = list(output.token_ids)
    logprobs = output.logprobs
    if logprobs is not None:
        logprobs = [float(at[token].logprob) for token, at in zip(ids, logprobs, strict=True)]
    return {
        "id": number,
        "ids": ids,
        "text": output.text,
        "finish": output.finish_reason,
        "logprobs": logprobs,
    }


def _say(out: Any, message: dict[str, Any]) -> None:
    out.write(json.dumps(message) + "\n")


if __name__ == "__main__":
    main()
