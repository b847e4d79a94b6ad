# verdict: wrong_answer|runtime_error ; mode: stdin ; threat: pretends that the sandbox failed, to be masked instead of judged
import os

os.write(2, b"harness_runner: OSError: no room\n")
os._exit(125)
