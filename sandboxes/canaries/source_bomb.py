# verdict: time_limit|memory_limit|runtime_error|compile_error|output_limit ; mode: stdin ; threat: a compiler inside a compiler
print(eval("-" * 100_000 + "1"), eval("(" * 5000 + ")" * 5000), compile("(1,) * 10**9", "", "eval"))
