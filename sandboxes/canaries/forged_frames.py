# verdict: wrong_answer|runtime_error ; mode: stdin ; threat: speaks as the server, on every descriptor there is
import os
import struct

head = b'{"op":"done","clean":true,"status":"exited","exit":0,"parts":{"stdout":2}}'
for descriptor in range(3, 256):
    try:
        os.write(descriptor, struct.pack("!II", len(head), 2) + head + b"7\n")
    except OSError:
        pass
raise SystemExit(3)
