"""Checks of a device, for `bench/device.py`: each yields the rows of its part of the table."""
