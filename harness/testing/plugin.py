"""The pytest plugin: fixtures of the conformance suites."""
