"""Sending an exported folder to the Hugging Face Hub: only when it is asked for."""

from __future__ import annotations

import os
from pathlib import Path

from harness.contract.errors import DataError, PluginError
from harness.recording.blotting import encoded_secrets


def push(folder: Path, repo: str, *, private: bool = True) -> str:
    """Upload a folder as a data set, which is made if there is none; returns its address.

    HF_ENDPOINT and HF_TOKEN are respected. A file that holds a secret of this process is sent to nobody.

    Raises:
        PluginError: huggingface_hub is not installed.
        DataError: a file holds a secret, or the Hub refuses; says what to do.
    """
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError as error:
        raise PluginError(
            f"pushing needs {error.name}, which is not installed", where="harness board export",
            hint="pip install 'staged-harness[hub]'",
        ) from None  # fmt: skip
    refuse_secrets(folder)
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        api = HfApi(endpoint=endpoint)
        api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
        api.upload_folder(
            folder_path=folder, repo_id=repo, repo_type="dataset", commit_message="Update the board"
        )
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise DataError(
            f"{endpoint} does not take it: {' '.join(str(error).split())[:300]}", where=repo,
            hint="set HF_TOKEN to a token that may write, and check the name",
        ) from None  # fmt: skip
    return f"{endpoint}/datasets/{repo}"


def refuse_secrets(folder: Path) -> None:
    """Raise DataError for a file that holds the value of a secret environment variable as it is."""
    secrets = encoded_secrets()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if any(secret in content for secret in secrets):
            raise DataError("holds a secret of this process's environment", where=str(path))
