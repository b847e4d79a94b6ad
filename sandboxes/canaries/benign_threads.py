# verdict: passed ; mode: stdin ; threat: none: a deep recursion in a thread with a large stack, and exit()
import sys
import threading

sys.setrecursionlimit(1 << 20)
threading.stack_size(64 << 20)


def depth(n):
    return 0 if n == 0 else 1 + depth(n - 1)


def main():
    a, b = map(int, input().split())
    print(a + b + depth(20000) - 20000)


thread = threading.Thread(target=main)
thread.start()
thread.join()
exit()
