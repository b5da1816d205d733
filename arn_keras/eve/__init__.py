"""Every eavesdropper's network, once: the letter's, others, and Alice's substitutes for them."""

_DENSE = "arn_keras.eve.dense:"
# Hidden neurons of the substitutes of the stronger black box: of two layers, and of three.
ENSEMBLE = {
    f"substitute_{'_'.join(map(str, hidden))}": hidden
    for hidden in ((64,), (128,), (192,), (384,), (128, 64), (160, 80), (256, 128), (384, 192))
}

#: Builders of classifiers, (signal shape, number of labels) -> Keras model of logits.
EVES = {
    # The letter's, two of another architecture whom no pair is trained against, a substitute.
    "eve": _DENSE + "build_eavesdropper",
    "eve_wide": (_DENSE + "build_eavesdropper", {"hidden": (512,)}),
    "eve_conv": _DENSE + "build_convolutional_eavesdropper",
    "substitute": _DENSE + "build_substitute",
    **{
        name: (_DENSE + "build_substitute", {"hidden": hidden}) for name, hidden in ENSEMBLE.items()
    },
    # The audit's, larger ones.
    "wide": "arn_keras.eve.larger:build_wide_eavesdropper",
    "convolutional": "arn_keras.eve.larger:build_convolutional_eavesdropper",
    "transformer": "arn_keras.eve.larger:build_transformer_eavesdropper",
}
