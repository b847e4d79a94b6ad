# verdict: memory_limit|runtime_error|time_limit ; mode: stdin ; threat: memory spread over many processes, each below its limit
import os
import time

for _ in range(12):
    if os.fork() == 0:
        kept = bytearray(200 << 20)
        for at in range(0, len(kept), 4096):
            kept[at] = 1
        time.sleep(3600)
time.sleep(0.5)
while True:
    status = os.wait()[1]
    if status:
        raise SystemExit("a child was killed")
