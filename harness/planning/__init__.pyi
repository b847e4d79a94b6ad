from harness.planning.datafiles import resolve as resolve
