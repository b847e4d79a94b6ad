# verdict: time_limit|runtime_error ; mode: stdin ; threat: answers, then does not end
import atexit
import threading
import time

a, b = map(int, input().split())
print(a + b, flush=True)
atexit.register(time.sleep, 3600)
threading.Thread(target=time.sleep, args=(3600,)).start()
