"""Published curricula that choose tasks online, by what training shows, with groups of one size."""

from harness import hookimpl
from harness.plugging import Register

HARNESS_API = (2, 0)
HARNESS_CODE = ("harness_curricula", "harness_difficulty")

#: Name, module and class, options, summary.
_ALL = (
    (
        "adarft",
        "adarft:AdaRft",
        "AdaRftOptions",
        "tasks nearest to a target difficulty that follows the reward",
    ),
    ("sec", "sec:Sec", "SecOptions", "a bandit over levels, paid in absolute advantages"),
    ("dump", "dump:Dump", "DumpOptions", "upper confidence bounds of absolute advantages"),
    ("e2h-cosine", "e2h:E2hCosine", "E2hOptions", "planned: from easy to hard levels along a cosine"),
    ("e2h-gaussian", "e2h:E2hGaussian", "E2hGaussianOptions", "planned: a peak that moves from easy to hard"),
    ("greso", "greso:Greso", "GresoOptions", "passes over tasks whose last groups were all alike"),
    ("mopps", "mopps:Mopps", "MoppsOptions", "Thompson draws of the pass rate, nearest to one half"),
    (
        "pcl",
        "pcl:Pcl",
        "PclOptions",
        "of candidates those whose pass rate is predicted nearest to one half",
    ),
    ("vcrl", "vcrl:Vcrl", "VcrlOptions", "groups without variance give way to a memory of tasks with much"),
    (
        "prompt-replay",
        "prompt_replay:PromptReplay",
        "PromptReplayOptions",
        "prompts of medium difficulty again",
    ),
)


@hookimpl
def register_curricula(register: Register) -> None:
    for name, target, options, summary in _ALL:
        register(
            name,
            f"harness_adaptive.{target}",
            options=f"harness_adaptive.options:{options}",
            capabilities={"online": True},
            summary=summary,
        )
