# verdict: wrong_answer|runtime_error ; mode: stdin ; threat: changes its own input, which is memory of the server's making
import os

done = []
for how in (os.O_WRONLY, os.O_RDWR):
    try:
        target = os.open("/proc/self/fd/0", how)
        done.append(os.write(target, b"0 0 "))
    except OSError as error:
        done.append(error.errno)
print("WROTE", done)
