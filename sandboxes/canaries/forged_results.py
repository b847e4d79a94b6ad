# verdict: wrong_answer|runtime_error ; mode: func ; threat: writes results of its own to every descriptor, then ends
import os

for descriptor in range(3, 64):
    try:
        os.write(descriptor, b'{"loaded":true}\n{"ok":true}\n{"ok":0}\n{"ok":0}\n')
    except OSError:
        pass
os._exit(0)
