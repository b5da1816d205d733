"""What protects, who eavesdrops, what Alice knows of her: the names, before all training."""

import dataclasses

PROTECTIONS = ("none", "arn", "keyed", "arn+keyed")
# Widths of the two-layer substitutes of the stronger black box.
ENSEMBLE_WIDTHS = (64, 128, 256, 384)
SUBSTITUTES = {
    "single": ("substitute",),
    "ensemble": tuple(f"substitute_{width}" for width in ENSEMBLE_WIDTHS),
}
# The eavesdroppers that are measured, and the stage that trains each: the letter's, and two of
# another architecture whom no pair is ever trained against.
EVE_STAGES = {"frozen": "eve", "frozen_wide": "eve_wide", "frozen_conv": "eve_conv"}


@dataclasses.dataclass(frozen=True)
class Privacy:
    """What the pair is trained to deny: the eavesdroppers in the loss, and the term L3.

    The letter's is one classifier and its confidence, Eq. (22), (23). The stronger black box has
    several substitutes of different width and seed, each hearing the signal in its own way
    (`eavesdropper.InputDiversity`), and the logit margin. Eve's own classifier is in none.

    Attributes:
        knowledge: "white" or "black".
        black_box: "single" or "ensemble".
        loss: a name of `losses.PRIVACY_LOSSES`; "auto" is the margin for the ensemble, else the
            confidence.
    """

    knowledge: str
    black_box: str = "single"
    loss: str = "auto"

    @property
    def ensemble(self):
        """Whether this is the stronger black box."""
        return self.knowledge == "black" and self.black_box == "ensemble"

    @property
    def stages(self):
        """Names of the stages whose classifiers are in the loss."""
        return ("eve",) if self.knowledge == "white" else SUBSTITUTES[self.black_box]

    @property
    def loss_name(self):
        """The term L3, "auto" resolved."""
        return ("margin" if self.ensemble else "confidence") if self.loss == "auto" else self.loss
