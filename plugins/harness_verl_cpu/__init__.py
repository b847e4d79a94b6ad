"""verl on a CPU: a platform, an engine and a vLLM worker extension, through verl's own plugin interfaces.

Loaded by verl through the entry point group `verl.plugins`, or by name through
`VERL_USE_EXTERNAL_MODULES`. What verl has no interface for is in `patches`, and what vLLM has none for in
`harness_vllm_cpu.patches`; both refuse to touch any version but the one they were written for. verl logs
a plugin that fails to load at DEBUG and goes on without it: `check` says what is missing.

Nothing here imports the harness: it runs in verl's environment, which need not have it.
"""

import os

from harness_verl_cpu.alias import alias_vllm
from harness_verl_cpu.versions import VERSIONS, mismatches

__all__ = ["PLATFORM", "VERSIONS", "check", "mismatches"]

PLATFORM = "cpu"


def _register() -> None:
    import harness_verl_cpu.platform  # noqa: F401 - importing it registers it

    # Not needed if verl runs on something else.
    if os.environ.get("VERL_PLATFORM", "").strip().lower() == PLATFORM:
        from harness_vllm_cpu.patches import apply

        from harness_verl_cpu import patches

        alias_vllm()
        apply(patches.IN_VERL)


def check() -> None:
    """Raise RuntimeError unless verl runs on a CPU here."""
    from verl.plugin.platform import get_platform
    from verl.plugin.platform.platform_manager import PlatformRegistry

    from harness_verl_cpu import patches

    if PLATFORM not in PlatformRegistry.registered_names():
        raise RuntimeError(
            "harness_verl_cpu is installed but verl did not load it; run with VERL_LOGGING_LEVEL=DEBUG, or "
            "set VERL_USE_EXTERNAL_MODULES=harness_verl_cpu, which fails aloud"
        )
    if get_platform().device_name != PLATFORM:
        raise RuntimeError(f"verl chose the platform {get_platform().device_name!r}; set VERL_PLATFORM=cpu")
    missing = [patch.name for patch in patches.IN_VERL if not patch.applied()]
    if missing:
        raise RuntimeError(f"not in place: {', '.join(missing)}")


_register()
