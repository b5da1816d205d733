"""What is plugged in: residual networks, keyed rotations, the key schedule, a chain of both."""

#: What may stand between transmitter and air, `pair.protection.Means`.
PROTECTIONS = {
    "none": "arn_keras.pair.protection:NONE",
    "arn": "arn_keras.pair.protection:ARN",
    "keyed": "arn_keras.pair.protection:KEYED",
    "arn+keyed": "arn_keras.pair.protection:ARN_KEYED",
    "purge": "arn_keras.pair.protection:PURGE",
}

#: Blocks F of an ARN, Eq. (15), (17): (signal, its options) -> residual, see `pair.arn`.
BLOCKS = {
    "dense": "arn_keras.pair.dense:dense_residual",
    "conv": "arn_keras.pair.conv:conv_residual",
    # The same few dense layers at each token of a signal [tokens, d].
    "tokenwise": ("arn_keras.pair.conv:conv_residual", {"kernel": 1, "width": 128, "depth": 2}),
    "transformer": "arn_keras.pair.transformer:transformer_residual",
    "in_band": "arn_keras.pair.in_band:in_band_residual",
}

#: How a keyed module rotates a signal, `pair.keyed.Rotation`.
ROTATIONS = {
    "fast": "arn_keras.pair.rotation:FAST",
    "haar": "arn_keras.pair.haar:HAAR",
}

#: Names that a module's input drawn from the keystream may have.
KEY_INPUTS = ("signs", "rotation")

#: Names that a module's first input may have: what it adds something to, or takes it from.
SIGNAL_INPUTS = ("signal", "received")

#: Names that a module's input may have that says how good the link is, `pair.told`.
TOLD_INPUTS = ("snr_db", "csi")
