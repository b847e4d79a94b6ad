"""The image that containers are made from: the tree of `harness_sandbox.rootfs`, imported.

No registry and no network is needed. Its tag is the digest of what is in it, so that a changed server
never runs in a stale image.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docker.errors import ImageNotFound
from harness_sandbox import rootfs
from harness_sandbox.pool import SandboxError

REPOSITORY = "staged-harness"


def name(packages: Sequence[str] = (), language: str = "python") -> str:
    """The image of this version."""
    return f"{REPOSITORY}/{language}:{rootfs.digest(packages, language)}"


def build(client: Any, cache: Path, packages: Sequence[str] = (), language: str = "python") -> str:
    """Import the tree as an image, if the engine has it not yet; its name."""
    tag = name(packages, language)
    try:
        client.images.get(tag)
    except ImageNotFound:
        repository, _, version = tag.partition(":")
        archive = rootfs.tar(rootfs.build(cache, packages, language))
        client.api.import_image_from_data(archive, repository=repository, tag=version)
    return tag


def require(client: Any, tag: str) -> None:
    """Raise SandboxError if the engine does not have the image."""
    try:
        client.images.get(tag)
    except ImageNotFound:
        raise SandboxError(
            f"the engine has no image {tag!r}", where="sandbox 'docker'", hint="harness sandbox build"
        ) from None
