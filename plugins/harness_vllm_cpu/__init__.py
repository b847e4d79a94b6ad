"""vLLM's CPU build, made to load weights again and again, as training does.

What vLLM offers no interface for is in `patches`, which refuses to touch any version but the one that it was
written for. Used by the trainer `trl` in the harness's own process, and by `harness_verl_cpu` in verl's.

Nothing here imports the harness: it runs in verl's environment, which need not have it.
"""

#: Modules that other plugins may import.
PUBLIC = ("patches", "repack", "versions")
