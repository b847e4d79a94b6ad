# verdict: wrong_answer|runtime_error ; mode: stdin ; threat: changes its uid, its capabilities and its root
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
done = []
for number, act in enumerate(
    (
        lambda: os.setuid(0),
        lambda: os.setresuid(0, 0, 0),
        lambda: os.setgroups([0]),
        lambda: os.chroot("/tmp"),
        lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(254, 0)),
        lambda: os.chown("/tmp", 0, 0),
        lambda: os.kill(1, 9),
        lambda: os.kill(1, 19),
        lambda: os.kill(os.getppid(), 19),
        lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50)),
    )
):
    try:
        act()
        done.append(number)
    except OSError:
        pass
if os.getpid() > 2 and os.getuid() == 0:
    done.append("root")
print("DONE", done)
