"""What is plugged in: residual networks, keyed rotations, the key schedule, a chain of both."""

PROTECTIONS = ("none", "arn", "keyed", "arn+keyed")
