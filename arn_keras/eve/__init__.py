"""Every eavesdropper's network, once: the letter's, others, and Alice's substitutes for them."""

_DENSE = "arn_keras.eve.dense:"
_TOKENS = "arn_keras.eve.tokens:"
_CONV = _TOKENS + "build_token_convolutional"
_ATTENTIVE = _TOKENS + "build_token_transformer"
_FLAT = _TOKENS + "build_token_dense"
_RADIO = "arn_keras.eve.radio:"
_EXPERT = "arn_keras.eve.expert:build_expert_eavesdropper"
_RESIDUAL = "arn_keras.eve.residual:build_residual_eavesdropper"
_PATCHES = "arn_keras.eve.patches:build_patch_eavesdropper"
# Hidden neurons of the substitutes of the stronger black box: of two layers, and of three.
ENSEMBLE = {
    f"substitute_{'_'.join(map(str, hidden))}": hidden
    for hidden in ((64,), (128,), (192,), (384,), (128, 64), (160, 80), (256, 128), (384, 192))
}
# Width and depth of the convolutional ones: a reader of pictures, the substitutes of the letter's
# black box and of the stronger one.
CONVOLUTIONS = ((16, 1), (32, 0), (24, 1), (32, 1), (40, 1), (24, 2), (32, 2))

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
    "patches": _PATCHES,
    "patches_small": (_PATCHES, {"width": 48, "depth": 1}),
    **{
        f"convolutions_{width}_{depth}": (_RESIDUAL, {"width": width, "depth": depth})
        for width, depth in CONVOLUTIONS
    },
    # Of sentences, [tokens, d]: the scenario's own, Alice's substitutes, the audit's larger ones.
    "token_conv": _CONV,
    "token_transformer": _ATTENTIVE,
    "token_dense": _FLAT,
    "token_substitute": (_CONV, {"filters": 64, "kernels": (1, 3)}),
    "token_substitute_short": (_CONV, {"filters": 128, "kernels": (1, 2), "width": 48}),
    "token_substitute_long": (_CONV, {"filters": 64, "kernels": (3, 5), "width": 96}),
    "token_substitute_attentive": (_ATTENTIVE, {"width": 48, "depth": 1}),
    "token_substitute_deep": (_ATTENTIVE, {"width": 32, "depth": 3}),
    "token_substitute_dense": (_FLAT, {"hidden": (192,)}),
    "token_substitute_wide": (_FLAT, {"hidden": (384, 96)}),
    "token_conv_wide": (_CONV, {"filters": 192, "kernels": (1, 2, 3, 5), "width": 192}),
    "token_transformer_wide": (_ATTENTIVE, {"width": 96, "depth": 3}),
    "token_dense_wide": (_FLAT, {"hidden": (512, 512)}),
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
