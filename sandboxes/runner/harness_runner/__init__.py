"""The fork server that runs programs inside a sandbox, and what both sides of its wire share.

Standard library only, and as little of it as can be: this package is copied into images, and
everything it imports is memory that every job is forked from. The trusted side imports `frames` and
`values`; the rest runs inside.
"""
