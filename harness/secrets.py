"""What must never be written down: values of environment variables whose names say so."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"(API_?KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL)", re.IGNORECASE)


def secrets(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Secret values of at least 8 characters, longest first."""
    found = {value for name, value in environment.items() if _NAME.search(name) and len(value) >= 8}
    return tuple(sorted(found, key=len, reverse=True))


def blot(text: str, environment: Mapping[str, str]) -> str:
    """`text` with every secret value replaced by `***`."""
    for secret in secrets(environment):
        text = text.replace(secret, "***")
    return text
