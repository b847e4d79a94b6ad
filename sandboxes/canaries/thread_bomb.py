# verdict: runtime_error|time_limit|memory_limit ; mode: stdin ; threat: threads without end
import threading
import time

while True:
    threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
