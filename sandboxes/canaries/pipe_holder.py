# verdict: passed ; mode: stdin ; threat: a child keeps the pipes open after the end
import os
import time

a, b = map(int, input().split())
print(a + b, flush=True)
if os.fork() == 0:
    time.sleep(3600)
