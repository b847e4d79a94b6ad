"""The end of the trainer `verl` that runs in verl's own environment.

It needs verl and the standard library, never the harness: another interpreter, other versions, perhaps
another node. What it trains on, what a completion is worth and when to stop, the driver says over a
socket (`harness_verl.hub`).
"""

#: Modules that other plugins may import.
PUBLIC = ("keeper",)
