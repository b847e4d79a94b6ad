"""`.eval_results/*.yaml`: scores as the Hugging Face Hub reads them from a model's repository, out and in.

The form is the Hub's (https://huggingface.co/docs/hub/eval-results), written and read by `huggingface_hub`.
Values are percentages. A file holds one variant: one benchmark under one profile.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from harness.board.entry import Entry
from harness.board.folder import toml_string
from harness.board.references import CitedRow, CitedScore, Reference
from harness.contract.errors import DataError, PluginError, RecipeError
from harness.recipe.errors import validated
from harness.recording.blotting import blot

FOLDER: Final = ".eval_results"


def unfit(entry: Entry, repo: str) -> str:
    """Why an entry is no result of its model's repository; empty if it is one."""
    if entry.source is not None:
        return "its generations are other people's (rejudged)"
    if entry.recipe.simulated:
        return "its outcomes are a simulation's"
    if not repo:
        return f"benchmark {entry.benchmark.name!r} is no data set of the Hub"
    return ""


def write_results(
    entries: Sequence[Entry], repos: Mapping[str, str], out: Path, url: str = ""
) -> tuple[list[Path], list[str]]:
    """Write `<out>/<model>/.eval_results/<benchmark>-<profile>-<hash>.yaml`.

    Args:
        repos: benchmark -> data set of the Hub.
        url: a page about these results, which the files name as their source.

    Returns:
        The files, and a line for each entry that has none, with the reason.

    Raises:
        PluginError: huggingface_hub is not installed.
    """
    hub, yaml = _libraries("harness board export")
    written, left_out = [], []
    for entry in entries:
        repo = repos.get(entry.benchmark.name, "")
        if reason := unfit(entry, repo):
            left_out.append(f"{entry.label}, {entry.benchmark.name}: {reason}")
            continue
        profile = entry.benchmark.profile
        made = hub.EvalResultEntry(
            dataset_id=repo, task_id=entry.benchmark.name, value=round(100 * entry.score.value, 2),
            date=entry.finished or None, source_url=url or None,
            source_name="harness" if url else None, notes=_notes(entry),
        )  # fmt: skip
        text = yaml.safe_dump(hub.eval_result_entries_to_yaml([made]), sort_keys=False, allow_unicode=True)
        variant = "-".join(
            re.sub(r"[^A-Za-z0-9.]+", "-", str(word)).strip("-.")
            for word in (entry.benchmark.name, profile.get("name") or entry.label, entry.file_name[-13:-5])
        )
        model = re.sub(r"[^A-Za-z0-9._-]+", "_", entry.model.name).strip(".") or "model"
        path = out / model / FOLDER / f"{variant}.yaml"
        if path in written:
            # Judged by other verifiers as well: as a board's folder names such entries.
            path = path.with_stem(f"{path.stem}-{'+'.join(sorted(entry.verifiers))}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(blot(text), encoding="utf-8")
        written.append(path)
    return written, left_out


def _notes(entry: Entry) -> str:
    s = entry.score
    verifiers = ", ".join(f"{name} {sha}" for name, sha in sorted(entry.verifiers.items()))
    words = [
        f"{s.metric} over {entry.benchmark.problems} problems, in percent",
        f"rerun interval {100 * s.rerun.low:.1f} to {100 * s.rerun.high:.1f}",
        f"profile {entry.benchmark.profile.get('name', 'of a recipe')} {entry.benchmark.profile_sha}",
        f"verifier {verifiers}",
    ]
    return "; ".join([*words, f"answers {entry.fingerprint}"] if entry.answers else words)


def read_results(path: Path, model: str, repos: Mapping[str, str], url: str = "") -> Reference:
    """A file's scores as cited rows.

    Args:
        model: whose they are.
        repos: data set of the Hub, in lower case -> benchmark of the board.
        url: where the file was read, for results that name no source.

    Raises:
        DataError: the file does not fit, or holds no score of the board's benchmarks.
        PluginError: huggingface_hub is not installed.
    """
    hub, yaml = _libraries("harness board import")
    try:
        results = hub.parse_eval_result_entries(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"cannot be read: {' '.join(str(error).split())}", where=str(path)) from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(
            f"is not of the Hub's form: {error!r}", where=str(path),
            allowed="a list of results with dataset.id, dataset.task_id and value",
        ) from None  # fmt: skip
    scores: dict[str, CitedScore] = {}
    for result in results:
        benchmark = repos.get(str(result.dataset_id).lower())
        if benchmark is not None:
            scores[benchmark] = CitedScore(value=_percent(result.value, path), window=_short(result.notes))
    if not scores:
        seen = ", ".join(sorted({str(result.dataset_id) for result in results})) or "none"
        raise DataError(
            f"holds no score of the board's benchmarks; its data sets: {seen}", where=str(path),
            allowed=", ".join(sorted(repos)),
        )  # fmt: skip
    link = next((result.source_url for result in results if result.source_url), url)
    if not link:
        raise DataError("names no source", where=str(path), hint="--url ADDRESS, where it was read")
    values: dict[str, Any] = {
        "title": f"{model}: evaluation results of its repository", "url": link,
        "retrieved": datetime.date.today(), "source_type": "documentation",
        "note": "As stated in the repository's .eval_results; a value of at most 1 was read as a share.",
        "rows": [CitedRow(model=model, scores=scores).model_dump()],
    }  # fmt: skip
    try:
        return validated(Reference, values, where=str(path))
    except RecipeError as error:
        raise DataError(error.what, where=str(path)) from None


def cited(entries: Sequence[Entry], url: str, title: str) -> Reference:
    """Entries of another board as cited rows, one for each model and profile."""
    rows: dict[tuple[str, str], dict[str, CitedScore]] = {}
    for entry in entries:
        key = (entry.model.name, entry.label)
        rows.setdefault(key, {})[entry.benchmark.name] = CitedScore(
            value=round(100 * entry.score.value, 2), k=entry.benchmark.samples
        )
    return Reference(
        title=title, url=url, retrieved=datetime.date.today(), source_type="evaluation_run",
        note="Entries of another board, cited.",
        rows=tuple(CitedRow(model=m, about=a, scores=s) for (m, a), s in rows.items()),
    )  # fmt: skip


def reference_toml(reference: Reference) -> str:
    """A reference's file."""
    lines = [
        f"title = {toml_string(reference.title)}", f"url = {toml_string(reference.url)}",
        f"retrieved = {reference.retrieved.isoformat()}",
        f"source_type = {toml_string(reference.source_type)}",
        f"note = {toml_string(reference.note)}",
    ]  # fmt: skip
    for row in reference.rows:
        lines += ["", "[[rows]]", f"model = {toml_string(row.model)}"]
        if row.about:
            lines.append(f"about = {toml_string(row.about)}")
        for benchmark, score in row.scores.items():
            fields = [f"value = {score.value!r}"]
            fields += [f"k = {score.k}"] if score.k else []
            fields += [f"window = {toml_string(score.window)}"] if score.window else []
            lines.append(f"scores.{toml_string(benchmark)} = {{ {', '.join(fields)} }}")
    return "\n".join(lines) + "\n"


def _percent(value: Any, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise DataError(f"value is {value!r}", where=str(path), allowed="a number from 0 to 100")
    return float(value) * (100 if value <= 1 else 1)


def _short(notes: str | None) -> str:
    flat = " ".join((notes or "").split())
    return flat if len(flat) <= 120 else flat[:117] + "..."


def _libraries(where: str) -> tuple[Any, Any]:
    try:
        import huggingface_hub
        import yaml
    except ImportError as error:
        raise PluginError(
            f"the Hub's form needs {error.name}, which is not installed", where=where,
            hint="pip install 'staged-harness[hub]'",
        ) from None  # fmt: skip
    if not hasattr(huggingface_hub, "EvalResultEntry"):
        raise PluginError(
            f"huggingface_hub {huggingface_hub.__version__} does not know the form yet", where=where,
            hint="pip install --upgrade huggingface_hub",
        )  # fmt: skip
    return huggingface_hub, yaml
