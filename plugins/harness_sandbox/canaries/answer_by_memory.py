# verdict: wrong_answer|runtime_error ; mode: stdin ; threat: reads its own memory for what other jobs left there
marks = []
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
    for line in maps:
        span, rights = line.split()[:2]
        low, high = (int(end, 16) for end in span.split("-"))
        if "r" in rights and high - low < 1 << 26 and "[v" not in line:
            try:
                memory.seek(low)
                if b"harness-" + b"secret" in memory.read(high - low):
                    marks.append(span)
            except (OSError, ValueError, OverflowError):
                pass
print("LEAK" if marks else "nothing")
