"""A cluster on one machine: servers of drawn latencies, sandbox hosts, and what befalls both."""
