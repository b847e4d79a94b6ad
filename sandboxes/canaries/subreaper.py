# verdict: passed ; mode: stdin ; threat: children that hide behind a subreaper and sessions of their own
import ctypes
import os
import time

a, b = map(int, input().split())
print(a + b, flush=True)
if os.fork() == 0:
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    for _ in range(5):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(3600)
            os._exit(0)
    time.sleep(3600)
