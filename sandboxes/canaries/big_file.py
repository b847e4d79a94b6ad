# verdict: runtime_error ; mode: stdin ; threat: one file as large as it can get
import os

with open("/tmp/large", "wb") as file:
    os.posix_fallocate(file.fileno(), 0, 1 << 40)
    while True:
        file.write(bytes(1 << 20))
