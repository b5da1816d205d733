"""Every eavesdropper's network, once: the letter's, others, and Alice's substitutes for them."""

_DENSE = "arn_keras.eve.dense:"
_RADIO = "arn_keras.eve.radio:"
_EXPERT = "arn_keras.eve.expert:build_expert_eavesdropper"
_RESIDUAL = "arn_keras.eve.residual:build_residual_eavesdropper"
# Hidden neurons of the substitutes of the stronger black box: of two layers, and of three.
ENSEMBLE = {
    f"substitute_{'_'.join(map(str, hidden))}": hidden
    for hidden in ((64,), (128,), (192,), (384,), (128, 64), (160, 80), (256, 128), (384, 192))
}
# Width and depth of the convolutional substitutes of the stronger black box.
CONVOLUTIONS = ((16, 0), (24, 0), (32, 0), (48, 0), (16, 1), (24, 1), (32, 1))

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
    # Of signals with places, as a convolutional link has them, and substitutes for these.
    "residual": _RESIDUAL,
    "residual_wide": (_RESIDUAL, {"width": 64, "depth": 1}),
    "patches": "arn_keras.eve.patches:build_patch_eavesdropper",
    **{
        f"convolutions_{width}_{depth}": (_RESIDUAL, {"width": width, "depth": depth})
        for width, depth in CONVOLUTIONS
    },
    # Of a modem's frames, and substitutes for these.
    "expert": _EXPERT,
    "expert_small": (_EXPERT, {"width": 32}),
    "expert_wide": (_EXPERT, {"width": 128}),
    "iq": (_RADIO + "build_iq_eavesdropper", {"filters": (32, 48, 64)}),
    "iq_small": (_RADIO + "build_iq_eavesdropper", {"filters": (24, 32)}),
    "iq_wide": (_RADIO + "build_iq_eavesdropper", {"filters": (64, 96, 128), "low_pass": True}),
    "symbol": (_RADIO + "build_symbol_eavesdropper", {"width": 64, "depth": 2}),
    "symbol_small": (_RADIO + "build_symbol_eavesdropper", {"width": 48, "depth": 2}),
    "symbol_wide": (_RADIO + "build_symbol_eavesdropper", {"width": 144, "low_pass": True}),
    # The audit's, larger ones.
    "wide": "arn_keras.eve.larger:build_wide_eavesdropper",
    "convolutional": "arn_keras.eve.larger:build_convolutional_eavesdropper",
    "transformer": "arn_keras.eve.larger:build_transformer_eavesdropper",
}
