# verdict: passed|time_limit|runtime_error ; mode: stdin ; threat: processes that outrun a list of them, each forking and ending
import os

a, b = map(int, input().split())
print(a + b, flush=True)
for _ in range(8):
    if os.fork() == 0:
        while True:
            try:
                if os.fork():
                    os._exit(0)
            except OSError:
                pass
