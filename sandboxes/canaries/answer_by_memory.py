# verdict: wrong_answer|runtime_error ; mode: stdin ; threat: reads its own memory for what other jobs left there
HEAD, TAIL = b"harness-other-", b"job-7319"
marks = []
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
    for line in maps:
        span, rights = line.split()[:2]
        low, high = (int(end, 16) for end in span.split("-"))
        if "r" in rights and high - low < 1 << 26 and "[v" not in line:
            try:
                memory.seek(low)
                kept = memory.read(high - low)
            except (OSError, ValueError, OverflowError):
                continue
            at = kept.find(HEAD)
            while at >= 0:
                # The two halves are beside each other in another job's source alone.
                if kept[at + len(HEAD) : at + len(HEAD) + len(TAIL)] == TAIL:
                    marks.append(span)
                at = kept.find(HEAD, at + 1)
print("LEAK" if marks else "nothing")
