"""Other people's plugins, as wheels in an environment: good ones work, broken ones are named.

None of the broken ones may kill the tool, none may be silent, and none may harm another.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from harness.contract.hookspecs import API
from harness.recording.ledger import read
from tests.support.environments import Environment, build_wheel, new_environment, plugin_tree, write_tree

GOOD = '''
    """Squares: a task source, a verifier, a curriculum, a command and an observer in one file."""

    from collections.abc import Sequence

    import click
    from pydantic import BaseModel

    from harness import hookimpl
    from harness.contract.records import Message, Task, Verdict

    HARNESS_API = (2, 0)
    NAME = "staged-harness-squares"


    @hookimpl
    def register_task_sources(register):
        register("squares", f"{__name__}:Squares", options=f"{__name__}:SquaresOptions",
                 summary="n * n for small n")


    @hookimpl
    def register_verifiers(register):
        register("lenient", f"{__name__}:Lenient", summary="the answer anywhere in the text")


    @hookimpl
    def register_curricula(register):
        register("in-order", f"{__name__}:InOrder")


    @hookimpl
    def register_commands(register):
        register("square", f"{__name__}:command", summary="Square a number.")


    @hookimpl
    def step_finished(metrics):
        print("squares saw a step")


    class SquaresOptions(BaseModel, extra="forbid"):
        largest: int = 9


    class Squares:
        endless = False

        def __init__(self, options, context):
            self.tasks = {
                f"square/{n}": Task(id=f"square/{n}", prompt=(Message("user", f"{n}*{n}="),),
                                    verifier=f"{NAME}/lenient", answer=n * n)
                for n in range(options.largest + 1)
            }

        def subjects(self):
            return tuple(self.tasks)

        def draw(self, subject, index):
            return self.tasks[subject]

        def get(self, task_id):
            return self.tasks[task_id]


    class Lenient:
        hash = "lenient-1"

        def __init__(self, options, context):
            pass

        def open(self):
            pass

        def verify(self, task, rollout):
            passed = str(task.answer) in rollout.text
            return Verdict(status="pass" if passed else "fail", score=float(passed),
                           verifier=f"{NAME}/lenient", verifier_hash=self.hash)

        def close(self):
            pass


    class InOrder:
        def __init__(self, options, context):
            self.at = 0

        def next(self, k, context):
            subjects = context.pool.subjects
            chosen = [subjects[(self.at + i) % len(subjects)] for i in range(k)]
            self.at += k
            return [context.pool.draw(subject) for subject in chosen]

        def observe(self, group):
            pass

        def finished(self, history):
            return None

        def state_dict(self):
            return {"at": self.at}

        def load_state_dict(self, state):
            self.at = state["at"]


    @click.command()
    @click.argument("number", type=int)
    def command(number):
        """Square a number."""
        click.echo(number * number)
'''

HOOK = "from harness import hookimpl\n@hookimpl\ndef register_curricula(register):\n    "

SOLVER = '[project.optional-dependencies]\nsolver = ["no-such-solver>=3"]'

#: name -> (source, state, what the reason says, what else its pyproject says)
BROKEN: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "import-error": (
        "import no_such_module_anywhere\n",
        "failed",
        "No module named 'no_such_module_anywhere'",
        {},
    ),
    "half": (
        HOOK + "register('first', 'a:b')\n    raise ValueError('second thoughts')\n",
        "failed",
        "ValueError: second thoughts",
        {},
    ),
    "misspelt": (
        HOOK.replace("register_curricula", "register_curicula") + "register('x', 'a:b')\n",
        "failed",
        "'register_curicula' is not a hook; did you mean 'register_curricula'",
        {},
    ),
    "misspelt-argument": (
        "from harness import hookimpl\n@hookimpl\ndef step_finished(metric): pass\n",
        "failed",
        "'metric'",
        {},
    ),
    "future": (
        "HARNESS_API = (3, 0)\n" + HOOK + "register('x', 'a:b')\n",
        "incompatible",
        f"needs plugin API 3.0; this harness has {API[0]}.{API[1]}",
        {},
    ),
    "pinned": (
        "raise RuntimeError('never imported')\n",
        "incompatible",
        "needs staged-harness>=99",
        {"project": 'dependencies = ["staged-harness>=99"]'},
    ),
    "exits": ("import sys\nsys.exit('goodbye')\n", "failed", "SystemExit: goodbye", {}),
    "wrapper": (
        "from harness import hookimpl\n"
        "@hookimpl(wrapper=True)\ndef step_finished(metrics):\n    return (yield)\n",
        "failed",
        "'step_finished' is a wrapper",
        {},
    ),
    "silent": ("VERSION = 1\n", "failed", "implements no hook", {}),
    "unmarked": (
        HOOK + "register('x', 'a:b')\ndef register_gates(register):\n    pass\n",
        "failed",
        "'register_gates' lacks its mark",
        {},
    ),
    "extra": (
        "from harness import hookimpl\n@hookimpl\ndef register_engines(register):\n"
        "    register('solver', 'no_such_solver:X', extra='solver')\n",
        "missing-extra",
        "no-such-solver>=3 not installed: pip install 'staged-harness-extra[solver]'",
        {"tables": SOLVER},
    ),
    "extra-at-import": (
        "import no_such_solver\n",
        "missing-extra",
        "no-such-solver>=3 not installed: pip install 'staged-harness-extra-at-import[solver]'",
        {"tables": SOLVER},
    ),
}


def wheel_of(folder: Path, name: str, source: str, **kwargs: str) -> Path:
    return build_wheel(plugin_tree(folder / name, name, source, **kwargs))


def listed(environment: Environment, *options: str, **variables: str) -> dict[str, Any]:
    done = environment.harness(*options, "plugins", "list", "--json", **variables)
    assert done.returncode == 0, done.stderr
    return {status["name"]: status for status in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """One environment with a good plugin among all the broken ones."""
    folder = tmp_path_factory.mktemp("crowded")
    wheels = [wheel_of(folder, "squares", GOOD)]
    wheels += [wheel_of(folder, name, source, **toml) for name, (source, _, _, toml) in BROKEN.items()]
    environment = new_environment(folder / "env")
    environment.install(*wheels)
    return environment


@pytest.fixture(scope="module")
def statuses(crowded: Environment) -> dict[str, Any]:
    return listed(crowded)


@pytest.mark.parametrize("name", BROKEN)
def test_each_broken_plugin_is_named_with_its_state_and_reason(statuses: dict[str, Any], name: str) -> None:
    _, state, reason, _ = BROKEN[name]
    status = statuses[f"staged-harness-{name}/{name}"]
    assert (status["state"], status["version"]) == (state, "1.2.3")
    assert reason in status["reason"]


def test_none_of_them_harms_the_others_or_the_tool(crowded: Environment) -> None:
    states = {name: status["state"] for name, status in listed(crowded).items()}
    assert states["staged-harness-squares/squares"] == "ok"
    ours = {name: state for name, state in states.items() if "/" not in name}
    assert ours
    alone = listed(crowded, HARNESS_PLUGINS=",".join(ours))
    assert ours == {name: status["state"] for name, status in alone.items() if "/" not in name}
    for command in (["--help"], ["plugins", "list"], ["plugins", "show", "half"], ["--version"]):
        assert crowded.harness(*command).returncode == 0


def test_help_shows_plugin_commands_and_says_what_is_broken(crowded: Environment) -> None:
    done = crowded.harness("--help")
    assert "staged-harness-squares/square" in done.stdout
    assert "Square a number." in done.stdout
    assert "staged-harness-half/half" in done.stdout
    assert "plugins doctor" in done.stdout
    assert crowded.harness("staged-harness-squares/square", "12").stdout == "144\n"
    bare = crowded.harness("square", "12")
    assert bare.returncode == 2
    assert "'staged-harness-squares/square'" in bare.stderr


def test_the_doctor_prints_every_traceback_and_fails(crowded: Environment) -> None:
    done = crowded.harness("plugins", "doctor")
    assert done.returncode == 1
    for name, (_, state, reason, _) in BROKEN.items():
        assert f"{state:13} staged-harness-{name}/{name}: " in done.stdout
        assert reason in done.stdout
    assert "raise ValueError('second thoughts')" in done.stdout


RECIPE = """
    name = "squares"

    [model]
    name = "anything"

    [tasks]
    train = [{ name = "staged-harness-squares/squares", largest = 5 }]

    [[stages]]
    name = "all"
    curriculum = "%s"
"""


def check(environment: Environment, folder: Path, curriculum: str) -> str:
    write_tree(folder, {"recipe.toml": RECIPE % curriculum})
    return environment.harness("recipe", "check", str(folder / "recipe.toml")).stderr


def test_a_recipe_that_names_something_of_a_failed_plugin_shows_its_traceback(
    crowded: Environment, tmp_path: Path
) -> None:
    message = check(crowded, tmp_path, "staged-harness-half/first")
    assert "stages.0.curriculum" in message
    assert "plugin 'staged-harness-half/half' is not loaded: failed: ValueError: second thoughts" in message
    assert "Traceback" in message
    assert "staged-harness-silent" not in message


def test_nothing_of_a_half_registered_plugin_remains(crowded: Environment) -> None:
    assert listed(crowded)["staged-harness-half/half"]["offers"] == {}


def test_bare_names_of_third_parties_are_refused_with_the_full_one(
    crowded: Environment, tmp_path: Path
) -> None:
    message = check(crowded, tmp_path, "in-order")
    assert "staged-harness-squares 1.2.3" in message
    assert "'staged-harness-squares/in-order'" in message


def test_plugins_can_be_left_out_for_one_command(crowded: Environment) -> None:
    full = "staged-harness-squares/squares"
    assert listed(crowded, "--no-plugin", "squares")[full]["state"] == "blocked"
    assert {s["state"] for s in listed(crowded, HARNESS_PLUGINS="").values()} == {"blocked"}
    only = listed(crowded, HARNESS_PLUGINS=full)
    assert [name for name, s in only.items() if s["state"] == "ok"] == [full]
    typo = crowded.harness("--no-plugin", "sqares", "plugins", "list")
    assert typo.returncode == 2
    assert "--no-plugin: no plugin is named 'sqares'" in typo.stderr


def test_a_plugin_that_kills_the_process_can_be_disabled_without_loading_it(tmp_path: Path) -> None:
    environment = new_environment(tmp_path / "env")
    environment.install(wheel_of(tmp_path, "killer", "import os\nos._exit(9)\n"))
    assert environment.harness("plugins", "list").returncode == 9
    done = environment.harness("plugins", "disable", "killer")
    assert (done.returncode, done.stderr) == (0, "")
    assert listed(environment)["staged-harness-killer/killer"]["state"] == "disabled"
    assert environment.harness("plugins", "enable", "staged-harness-killer/killer").returncode == 0
    assert environment.harness("plugins", "list").returncode == 9


def test_two_distributions_with_one_module_are_both_named(tmp_path: Path) -> None:
    source = HOOK + "register('x', 'a:b')\n"
    environment = new_environment(tmp_path / "env")
    for name in ("one", "two"):
        environment.install(wheel_of(tmp_path, name, source, module="shared_module"))
    statuses = listed(environment)
    assert statuses["staged-harness-one/one"]["state"] == "ok"
    second = statuses["staged-harness-two/two"]
    assert second["state"] == "failed"
    assert "'staged-harness-one/one'" in second["reason"]
    assert "'staged-harness-two/two'" in second["reason"]


def test_two_plugins_of_one_distribution_that_clash_are_both_named(tmp_path: Path) -> None:
    entry = 'first = "clash_a"\nsecond = "clash_b"'
    tree = plugin_tree(
        tmp_path / "clash", "clash", HOOK + "register('x', 'a:b')\n", module="clash_a", entry=entry
    )
    (tree / "clash_b.py").write_text((tree / "clash_a.py").read_text())
    project = tree / "pyproject.toml"
    project.write_text(project.read_text().replace('["clash_a.py"]', '["clash_a.py", "clash_b.py"]'))
    environment = new_environment(tmp_path / "env")
    environment.install(build_wheel(tree))
    statuses = listed(environment)
    assert statuses["staged-harness-clash/first"]["state"] == "ok"
    second = statuses["staged-harness-clash/second"]
    assert second["state"] == "failed"
    assert "registered twice: by plugin 'first' of staged-harness-clash 1.2.3" in second["reason"]
    assert "by plugin 'second' of staged-harness-clash 1.2.3" in second["reason"]


RUN = """
    name = "squares"

    [model]
    name = "tiny"
    prompt = "raw"

    [model.loader]
    name = "random-llama"
    characters = "0123456789*="
    width = 16
    heads = 2
    layers = 1
    mlp_width = 32

    [tasks]
    train = [{ name = "staged-harness-squares/squares", largest = 5 }]

    [difficulty]
    estimator = { name = "pass-rate", samples = 4 }
    max_tokens = 16

    [trainer]
    name = "torch"

    [report]
    reporters = []

    [[stages]]
    name = "all"
    curriculum = "staged-harness-squares/in-order"
    rollout = { n = 4, batch = 4, max_tokens = 16 }
    optimizer = { lr = 1e-3 }
    max_steps = 3
"""


def test_a_recipe_runs_on_a_third_partys_tasks_verifier_and_curriculum(
    crowded: Environment, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="the trainer needs torch")
    write_tree(tmp_path, {"recipe.toml": RUN})
    assert "fits" in crowded.harness("recipe", "check", "recipe.toml", cwd=tmp_path).stdout
    done = crowded.harness("run", "recipe.toml", cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "runs" / "squares-1" / "main" / "seed-0"
    lines = list(read(folder / "ledger.jsonl"))
    plugin = {
        "name": "staged-harness-squares/squares",
        "distribution": "staged-harness-squares",
        "version": "1.2.3",
    }
    assert plugin in lines[0]["plugins"]
    assert lines[0]["verifiers"]["staged-harness-squares/lenient"] == "lenient-1"
    groups = [line["group"] for line in lines if line["t"] == "group"]
    # In order, four tasks a step, six in all: the curriculum really chose.
    for step in (1, 2, 3):
        chosen = sorted(group["task"] for group in groups if group["step"] == step)
        assert chosen == sorted(f"square/{n % 6}" for n in range(4 * (step - 1), 4 * step))
    assert {"pass", "fail"} >= {status for group in groups for status in group["statuses"]}
    assert lines[-1]["t"] == "finished"
    assert (folder / "log.txt").read_text().count("squares saw a step") == 3


def test_one_file_beside_the_recipe_runs_as_well_as_a_wheel(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the trainer needs torch")
    environment = new_environment(tmp_path / "env")
    recipe = textwrap.dedent(RUN).replace("staged-harness-squares/", "local/")
    write_tree(
        tmp_path,
        {"recipe.toml": recipe, "harness_plugin.py": GOOD.replace("staged-harness-squares", "local")},
    )
    assert (
        "local/harness_plugin"
        in environment.harness("plugins", "list", "--recipe", "recipe.toml", cwd=tmp_path).stdout
    )
    done = environment.harness("run", "recipe.toml", cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = list(read(tmp_path / "runs" / "squares-1" / "main" / "seed-0" / "ledger.jsonl"))
    assert lines[0]["verifiers"]["local/lenient"] == "lenient-1"
    assert lines[-1]["t"] == "finished"
