# verdict: passed|runtime_error ; mode: stdin ; threat: as many files as there can be, in folders with odd rights
import os

a, b = map(int, input().split())
os.makedirs("/tmp/sticky/inner")
os.chmod("/tmp/sticky", 0o1777)
try:
    for number in range(100_000):
        open(f"/tmp/sticky/{number}", "w").close()
except OSError:
    pass
print(a + b)
