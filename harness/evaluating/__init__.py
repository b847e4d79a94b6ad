"""Evaluating a policy, in a run or on benchmarks: recording samples, counting them, scoring them."""
