# verdict: output_limit|time_limit ; mode: stdin ; threat: floods the other pipe
import os

block = b"e" * 65536
while True:
    os.write(2, block)
