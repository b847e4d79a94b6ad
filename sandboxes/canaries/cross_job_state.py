# verdict: wrong_answer|runtime_error ; mode: stdin ; threat: leaves a note for the next job wherever it can, and looks for one
import os

notes = []
for folder in (
    "/tmp",
    "/dev/shm",
    "/dev/mqueue",
    "/var/tmp",
    "/run",
    "/run/lock",
    "/home",
    "/",
    ".",
    "/opt/runner",
):
    try:
        notes += [name for name in os.listdir(folder) if name.startswith("note") and folder != "."]
        with open(f"{folder}/note", "w") as note:
            note.write("here")
    except OSError:
        pass
for name in ("/proc/self/oom_score_adj", "/proc/1/oom_score_adj", "/proc/sys/kernel/hostname"):
    try:
        with open(name, "w") as file:
            file.write("777")
    except OSError:
        pass
print("LEAK" if notes else "nothing")
