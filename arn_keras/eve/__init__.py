"""Every eavesdropper's network, once: the letter's, others, and Alice's substitutes for them."""

# Hidden neurons of the substitutes of the stronger black box: of two layers, and of three.
ENSEMBLE = {
    f"substitute_{'_'.join(map(str, hidden))}": hidden
    for hidden in ((64,), (128,), (192,), (384,), (128, 64), (160, 80), (256, 128), (384, 192))
}
SUBSTITUTES = {"single": ("substitute",), "ensemble": tuple(ENSEMBLE)}
# The eavesdroppers that are measured, and the stage that trains each: the letter's, and two of
# another architecture whom no pair is ever trained against.
EVE_STAGES = {"frozen": "eve", "frozen_wide": "eve_wide", "frozen_conv": "eve_conv"}
