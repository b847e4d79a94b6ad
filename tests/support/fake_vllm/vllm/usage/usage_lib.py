from __future__ import annotations

from enum import Enum


class UsageContext(Enum):
    LLM_CLASS = "LLM_CLASS"
    ENGINE_CONTEXT = "ENGINE_CONTEXT"
