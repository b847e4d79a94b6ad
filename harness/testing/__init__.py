"""Conformance suites that a plugin's tests subclass."""
