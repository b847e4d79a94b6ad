"""The `auto` kind: the best that is here, and an error that says why if none is.

It never falls back to something that does not contain: a run that would be unsafe does not start.
"""

from __future__ import annotations

from typing import Any, Final

from harness.contract import BuildContext, HarnessError
from harness_sandbox.options import PoolOptions
from harness_sandbox.pool import SandboxError

#: Best first.
ORDER: Final = ("docker", "namespaces", "bubblewrap")


class AutoOptions(PoolOptions):
    """Options that every kind has; they are handed to the kind that is chosen."""


def auto(options: AutoOptions, context: BuildContext) -> Any:
    """The first kind of `ORDER` that can be built.

    Raises:
        SandboxError: none can; names each with its reason.
    """
    reasons = []
    for kind in ORDER:
        try:
            return context.build("sandboxes", kind, options.model_dump(exclude_unset=True))
        except HarnessError as error:
            reasons.append(f"\n    {kind}: {error.what}{f' (next: {error.hint})' if error.hint else ''}")
    raise SandboxError(
        f"no sandbox kind works here:{''.join(reasons)}",
        where="sandbox 'auto'",
        hint="harness sandbox check",
    )
