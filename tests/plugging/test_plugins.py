"""Choosing plugins, one-file plugins, and what the loader refuses. See also test_plugins_third_party."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli import main
from harness.contract.errors import PluginError, UnknownName
from harness.contract.kinds import KINDS
from harness.plugging import plugins
from harness.plugging.loading import HOOKS, PluginStatus
from harness.plugging.plugins import load

HEADER = "from harness import hookimpl\n\n"


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("HARNESS_PLUGINS", raising=False)


def local(folder: Path, source: str) -> Path:
    path = folder / plugins.LOCAL_FILE
    path.write_text(HEADER + textwrap.dedent(source))
    return path


def status_of(folder: Path, source: str) -> PluginStatus:
    return plugins.load(local=local(folder, source)).status("local/harness_plugin")


def registering(kind: str, call: str) -> str:
    return f"@hookimpl\ndef register_{kind}(register):\n    {call}\n"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_registered(kind: str, tmp_path: Path) -> None:
    path = local(tmp_path, registering(kind, "register('mine', 'harness_plugin:Mine')"))
    loaded = plugins.load(local=path)
    registered = loaded.registry.find(kind, "local/mine")
    assert (registered.kind, registered.plugin, registered.distribution) == (kind, "harness_plugin", "local")
    assert [r.full_name for r in loaded.status("harness_plugin").registrations] == ["local/mine"]


def test_kinds_and_registration_hooks_are_the_same_list() -> None:
    assert {f"register_{kind}" for kind in KINDS} == {hook for hook in HOOKS if hook.startswith("register_")}


SILENT = {
    "misspelt": ("@hookimpl\ndef register_gate(register):\n    pass\n", "did you mean 'register_gates'"),
    "unmarked": (
        "def step_finished(run):\n    pass\n" + registering("gates", "pass"),
        "'step_finished' lacks its mark",
    ),
    "async": ("@hookimpl\nasync def step_finished(run):\n    pass\n", "is async or a generator"),
    "generator": ("@hookimpl\ndef step_finished(run):\n    yield\n", "is async or a generator"),
    "argument": ("@hookimpl\ndef step_finished(runs):\n    pass\n", "'runs'"),
    "nothing": ("X = 1\n", "implements no hook"),
    "target": (
        registering("gates", "register('a', 'no_colon')"),
        "target of gates 'a' must be 'module:attribute'",
    ),
    "options": (registering("gates", "register('a', 'b:c', options=dict)"), "options of gates 'a' must be"),
    "slash": (registering("gates", "register('a/b', 'c:d')"), "'a/b' is no name"),
    "extra": (
        registering("gates", "register('a', 'b:c', extra='gpu')"),
        "extra 'gpu', which local does not declare",
    ),
    "capability": (
        registering("gates", "register('a', 'b:c', capabilities={'x': {1}})"),
        "must be plain JSON-like",
    ),
    "unknown capability": (
        registering("shapers", "register('a', 'b:c', capabilities={'need_labels': True})"),
        "capabilities of shapers 'local/a' (plugin 'harness_plugin' of local",
    ),
    "near capability": (
        registering("curricula", "register('a', 'b:c', capabilities={'on_line': True})"),
        "on_line: no such field; did you mean 'online'",
    ),
    "type of a capability": (
        registering("engines", "register('a', 'b:c', capabilities={'fixed_weights': 'yes'})"),
        "fixed_weights: Input should be a valid boolean, got 'yes'",
    ),
    "capability of a kind without": (
        registering("metrics", "register('a', 'b:c', capabilities={'local': True})"),
        "local: no such field",
    ),
    "options of a command": (
        registering("commands", "register('a', 'b:c', options='b:O')"),
        "commands 'a' takes no options",
    ),
    "twice": (registering("gates", "register('a', 'b:c'); register('a', 'd:e')"), "registered twice"),
    "api": ("HARNESS_API = '1.0'\n" + registering("gates", "pass"), "must be (major, minor), not '1.0'"),
    "syntax": ("def\n", "SyntaxError"),
    "unprintable": (
        "class E(BaseException):\n    def __str__(self): raise ValueError\nraise E\n",
        "E",
    ),
}


@pytest.mark.parametrize("fault", SILENT)
def test_what_would_fail_in_silence_is_a_status_with_its_reason(fault: str, tmp_path: Path) -> None:
    source, reason = SILENT[fault]
    status = status_of(tmp_path, source)
    assert status.state == ("incompatible" if fault == "api" else "failed")
    assert reason in status.reason
    assert "\n" not in status.reason
    assert status.registrations == ()


def test_registering_after_loading_is_refused(tmp_path: Path) -> None:
    path = local(tmp_path, "kept = []\n" + registering("gates", "kept.append(register)"))
    plugins.load(local=path)
    from harness.plugging.local import import_file

    with pytest.raises(PluginError, match="after loading has ended"):
        import_file(path).kept[0]("late", "a:b")


def test_what_a_plugin_prints_while_loading_does_not_reach_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(tmp_path, "print('hello')\n" + registering("gates", "pass")).state == "ok"
    assert capsys.readouterr() == ("", "hello\n")


def test_interrupting_a_plugin_that_loads_interrupts_the_tool(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        plugins.load(local=local(tmp_path, "raise KeyboardInterrupt\n"))


def test_two_recipes_one_file_plugins_do_not_meet(tmp_path: Path) -> None:
    registrations = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        source = f"NAME = {name!r}\n" + registering("gates", "register('mine', 'harness_plugin:NAME')")
        registrations.append(plugins.load(local=local(folder, source)).registry.find("gates", "local/mine"))
    assert [registration.load() for registration in registrations] == ["a", "b"]
    assert registrations[0].version != registrations[1].version


def test_a_worker_process_rebuilds_a_one_file_plugin_from_its_registration(tmp_path: Path) -> None:
    source = (
        "import dataclasses\n@dataclasses.dataclass\nclass Gate:\n    strict: bool = True\n"
        + registering("gates", "register('mine', 'harness_plugin:Gate')")
    )
    registration = plugins.load(local=local(tmp_path, source)).registry.find("gates", "local/mine")
    script = (
        "import msgspec, sys\nfrom harness.plugging.registry import Registration\n"
        "print(msgspec.json.decode(sys.stdin.buffer.read(), type=Registration).load()())"
    )
    worker = subprocess.run(
        [sys.executable, "-c", script],
        input=msgspec.json.encode(registration),
        capture_output=True,
        check=False,
        cwd="/",
    )
    assert worker.stdout.decode() == "Gate(strict=True)\n", worker.stderr.decode()


def test_faults_of_what_a_plugin_points_at_name_the_plugin(tmp_path: Path) -> None:
    source = registering(
        "gates",
        "register('a', 'harness_plugin:Gone'); register('b', 'no_such_module.x:Y')",
    )
    registry = plugins.load(local=local(tmp_path, source)).registry
    with pytest.raises(PluginError, match=r"gates 'local/a' \(plugin 'harness_plugin'.*has no 'Gone'"):
        registry.find("gates", "local/a").load()
    with pytest.raises(PluginError, match=r"'local/b'.*its module 'no_such_module' does not exist"):
        registry.find("gates", "local/b").load()


def test_a_target_that_raises_while_imported_shows_its_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "raises_on_import_xq.py").write_text("raise LookupError('no table')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    source = registering("gates", "register('a', 'raises_on_import_xq:Gate')")
    registry = plugins.load(local=local(tmp_path, source)).registry
    with pytest.raises(PluginError, match=r"(?s)cannot be imported.*raise LookupError\('no table'\)"):
        registry.find("gates", "local/a").load()


def test_an_entry_point_declared_twice_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "staged_harness_doubled-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Staged_Harness.doubled\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[harness]\nx = module_a\nx = module_b\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    status = plugins.load().status("staged-harness-doubled/x")
    assert status.state == "failed"
    assert "declares the entry point 'x' twice: module_a and module_b" in status.reason


def test_disabling_is_kept_in_a_file_and_undone(tmp_path: Path) -> None:
    assert plugins.disabled() == set()
    plugins.set_disabled("a/b", True)
    plugins.set_disabled("c", True)
    plugins.set_disabled("a/b", False)
    assert plugins.disabled() == {"c"}
    assert json.loads((tmp_path / "config" / "harness" / "disabled.json").read_text()) == ["c"]


@pytest.mark.parametrize("content", ["{", '{"a": 1}', "[1]"])
def test_a_spoilt_file_of_disabled_plugins_names_itself_and_the_way_out(content: str) -> None:
    plugins.disabled_file().parent.mkdir(parents=True)
    plugins.disabled_file().write_text(content)
    with pytest.raises(PluginError, match=r"disabled\.json.*\n.*next: rm "):
        plugins.disabled()


def test_a_local_plugin_can_be_left_out_and_its_names_say_so(tmp_path: Path) -> None:
    path = local(tmp_path, registering("gates", "register('mine', 'a:b')"))
    loaded = plugins.load(local=path, block=["local/harness_plugin"])
    assert loaded.status("harness_plugin").state == "blocked"
    with pytest.raises(
        UnknownName, match=r"(?s)'local/mine'.*is not loaded: blocked: left out by --no-plugin"
    ):
        loaded.registry.find("gates", "local/mine")


def test_options_that_no_recipe_could_give_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = "import pydantic\n\nclass Options(pydantic.BaseModel):\n    name: str = ''\n\n"
    register = registering(
        "gates", "register('mine', 'harness_plugin:Options', options='harness_plugin:Options')"
    )
    path = local(tmp_path, options + register)
    offered = plugins.load(local=path).registry.find("gates", "local/mine")
    with pytest.raises(PluginError, match=r"has a field 'name', which no recipe can give"):
        offered.validate({})
    assert main(["plugins", "doctor", "--recipe", str(tmp_path / "recipe.toml")]) == 1
    said = capsys.readouterr().out
    assert "failed        local/harness_plugin" in said
    assert "gates 'local/mine' (plugin 'harness_plugin' of local" in said


def test_every_option_of_ours_can_be_given() -> None:
    for offered in plugins.load().registry.all():
        if not offered.missing():
            offered.options_model()


def test_plugins_variable_names_the_only_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = local(tmp_path, registering("gates", "register('mine', 'a:b')"))
    monkeypatch.setenv("HARNESS_PLUGINS", "local/harness_plugin, tasks")
    loaded = plugins.load(local=path)
    assert sorted(s.full_name for s in loaded.statuses if s.state == "ok") == [
        "local/harness_plugin",
        "tasks",
    ]
    monkeypatch.setenv("HARNESS_PLUGINS", "taks")
    with pytest.raises(
        PluginError, match=r"HARNESS_PLUGINS: no plugin is named 'taks'\n.*did you mean 'tasks'"
    ):
        plugins.load()


names = st.lists(st.from_regex(r"(dist-[a-c]/)?[a-e]", fullmatch=True), min_size=1, max_size=8, unique=True)


@given(names)
def test_a_name_resolves_to_itself_or_to_the_only_one_it_can_mean(known: list[str]) -> None:
    for full in known:
        assert plugins.resolve(full, known) == full
        bare = full.rpartition("/")[2]
        if bare in known:
            assert plugins.resolve(bare, known) == bare
        elif sum(other.rpartition("/")[2] == bare for other in known) == 1:
            assert plugins.resolve(bare, known) == full
        else:
            with pytest.raises(PluginError, match="several plugins"):
                plugins.resolve(bare, known)


def test_a_name_of_a_distribution_that_is_not_here_says_so() -> None:
    with pytest.raises(UnknownName, match="no plugin of 'someones-rules' is here"):
        plugins.load().registry.find("losses", "someones-rules/term")


def test_a_distribution_that_does_not_say_its_name_harms_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "nameless-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("\n")
    (info / "entry_points.txt").write_text("[harness]\nodd = no_such_module\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins = load()
    assert plugins.status("unknown/odd").state == "failed"
    assert plugins.status("math").state == "ok"


def test_entry_points_that_cannot_be_read_are_a_status_and_harm_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, group in (("broken", "harness"), ("strange", "others")):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{group}]\nno equals sign\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins = load()
    broken = plugins.status("broken/entry-points")
    assert (broken.state, "cannot be read" in broken.reason) == ("failed", True)
    assert [s.full_name for s in plugins.statuses if s.distribution == "strange"] == []
    assert plugins.status("math").state == "ok"
