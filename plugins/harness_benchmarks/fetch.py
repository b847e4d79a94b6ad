"""The process that talks to the Hub: one split of one commit, written as jsonl, or one file as it is.

`python -m harness_benchmarks.fetch '{"repo": ..., "config": ..., "split": ..., "revision": ...,
"folder": ..., "stem": ..., "file": ...}'` prints one line of JSON: {"commit": ...}, or {"kind": ...,
"message": ...} with kind `gated`, `denied`, `revision`, `absent` or `other`. HF_ENDPOINT and
HF_TOKEN are respected by the Hub's own client.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

#: The module of `datasets` that reads JSON.
JSON_LOADER: Final = "datasets.packaged_modules.json.json"


def main(asked: dict[str, Any]) -> dict[str, str]:
    """Fetch and write; returns what is printed."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    from datasets.exceptions import DatasetNotFoundError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        info = HfApi().dataset_info(asked["repo"], revision=asked["revision"])
        commit = str(info.sha)
        if asked.get("file"):
            _take_file(asked, commit)
            return {"commit": commit}
        rows = _rows(asked, commit)
    except GatedRepoError as error:
        return _fault("gated", error)
    except RevisionNotFoundError as error:
        return _fault("revision", error)
    except RepositoryNotFoundError as error:
        return _fault("denied", error)
    except EntryNotFoundError as error:
        return _fault("absent", error)
    except DatasetNotFoundError as error:
        return _fault("gated" if "gated" in str(error) else "absent", error)
    except ValueError as error:
        return _fault("absent", error)
    except Exception as error:  # noqa: BLE001 - the parent turns it into a message
        return _fault("other", error)
    target = Path(asked["folder"]) / f"{asked['stem']}@{commit}.jsonl"
    scratch = target.with_name(f"{target.name}.{os.getpid()}")
    with scratch.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, default=_told) + "\n")
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(target)
    return {"commit": commit}


def _rows(asked: dict[str, Any], commit: str) -> Iterable[Any]:
    """The split's rows: those of JSON files as they are written, others as `datasets` gives them.

    `datasets` reads a column of JSON that mixes types as other values ("007" as 7, "null" as nothing), and
    rows with certain columns as an agent's traces.
    """
    from datasets import DownloadManager, load_dataset, load_dataset_builder

    where: dict[str, Any] = {"revision": commit, "cache_dir": str(Path(asked["folder"]) / "arrow")}
    builder = load_dataset_builder(asked["repo"], asked["config"], **where)
    files = (builder.config.data_files or {}).get(asked["split"])
    if not files or type(builder).__module__ != JSON_LOADER or getattr(builder.config, "field", None):
        rows: Iterable[Any] = load_dataset(asked["repo"], asked["config"], split=asked["split"], **where)
        return rows
    manager = DownloadManager()
    return _written(manager.iter_files(manager.download_and_extract(list(files))))


def _written(paths: Iterable[str]) -> Iterator[Any]:
    """The rows of JSON files: one per line, or all of them in one list."""
    for path in paths:
        with open(path, encoding="utf-8-sig") as file:
            start = file.read(1)
            while start.isspace():
                start = file.read(1)
            file.seek(0)
            if start == "[":
                yield from json.load(file)
            else:
                yield from (json.loads(line) for line in file if line.strip())


def _told(value: Any) -> Any:
    """A value that JSON has no form for, as text; bytes only if they are text."""
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _take_file(asked: dict[str, Any], commit: str) -> None:
    """Download a file beside where it goes: it may be gigabytes, so it is not copied through a cache."""
    from huggingface_hub import hf_hub_download

    scratch = Path(asked["folder"]) / f".files-{os.getpid()}"
    downloaded = hf_hub_download(
        asked["repo"], asked["file"], repo_type="dataset", revision=commit, local_dir=scratch
    )
    Path(downloaded).replace(Path(asked["folder"]) / f"{asked['stem']}@{commit}.jsonl")
    shutil.rmtree(scratch, ignore_errors=True)


def _fault(kind: str, error: Exception) -> dict[str, str]:
    text = " ".join(str(error).split()) or type(error).__name__
    return {"kind": kind, "message": f"{type(error).__name__}: {text[:400]}"}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
