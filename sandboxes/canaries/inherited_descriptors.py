# verdict: wrong_answer|runtime_error ; mode: stdin ; threat: descriptors of the server, by number and through /proc
import os

seen = []
for descriptor in range(3, 1024):
    try:
        seen.append((descriptor, os.readlink(f"/proc/self/fd/{descriptor}")))
    except OSError:
        pass
for process in ("1", str(os.getppid())):
    try:
        seen += os.listdir(f"/proc/{process}/fd")
        seen.append(open(f"/proc/{process}/mem", "rb+"))
    except OSError:
        pass
print("FDS", seen)
