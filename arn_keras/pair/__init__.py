"""What is plugged in: residual networks, keyed rotations, the key schedule, a chain of both."""

#: What may stand between transmitter and air, `pair.protection.Means`.
PROTECTIONS = {
    "none": "arn_keras.pair.protection:NONE",
    "arn": "arn_keras.pair.protection:ARN",
    "keyed": "arn_keras.pair.protection:KEYED",
    "arn+keyed": "arn_keras.pair.protection:ARN_KEYED",
    "purge": "arn_keras.pair.protection:PURGE",
}
