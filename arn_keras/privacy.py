"""What protects, who eavesdrops, what Alice knows of her: the names, before all training."""

import dataclasses

PROTECTIONS = ("none", "arn", "keyed", "arn+keyed")
# Hidden neurons of the substitutes of the stronger black box: of two layers, and of three.
ENSEMBLE = {
    f"substitute_{'_'.join(map(str, hidden))}": hidden
    for hidden in ((64,), (128,), (192,), (384,), (128, 64), (160, 80), (256, 128), (384, 192))
}
SUBSTITUTES = {"single": ("substitute",), "ensemble": tuple(ENSEMBLE)}
# The eavesdroppers that are measured, and the stage that trains each: the letter's, and two of
# another architecture whom no pair is ever trained against.
EVE_STAGES = {"frozen": "eve", "frozen_wide": "eve_wide", "frozen_conv": "eve_conv"}


@dataclasses.dataclass(frozen=True)
class Privacy:
    """What the pair is trained to deny: the eavesdroppers in the loss, and the term L3.

    The letter's is one classifier and its confidence, Eq. (22), (23). The stronger black box has
    several substitutes of different depth, width and seed: what fools them all is not fitted to the
    ways of one (Liu et al., *Delving into Transferable Adversarial Examples and Black-box Attacks*,
    ICLR 2017); and the sources share the budget of Eq. (20), `losses.mean_attack_power_loss`. Eve's
    own classifier is in none.

    Attributes:
        knowledge: "white" or "black".
        black_box: "single" or "ensemble".
        loss: a name of `losses.PRIVACY_LOSSES`.
    """

    knowledge: str
    black_box: str = "single"
    loss: str = "confidence"

    @property
    def ensemble(self):
        """Whether this is the stronger black box."""
        return self.knowledge == "black" and self.black_box == "ensemble"

    @property
    def stages(self):
        """Names of the stages whose classifiers are in the loss."""
        return ("eve",) if self.knowledge == "white" else SUBSTITUTES[self.black_box]
