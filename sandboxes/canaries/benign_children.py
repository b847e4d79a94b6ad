# verdict: passed ; mode: stdin ; threat: none: uses processes as a program may
import multiprocessing


def add(pair):
    return sum(pair)


if __name__ == "__main__":
    a, b = map(int, input().split())
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map(add, [(a, b)])[0])
