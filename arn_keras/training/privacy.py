"""What the pair is trained to deny: the eavesdroppers in its loss, and the term L3."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Privacy:
    """What the pair is trained to deny: the eavesdroppers in the loss, and the term L3.

    The letter's is one classifier and its confidence, Eq. (22), (23). The stronger black box has
    several substitutes of different depth, width and seed: what fools them all is not fitted to the
    ways of one (Liu et al., *Delving into Transferable Adversarial Examples and Black-box Attacks*,
    ICLR 2017); and the sources share the budget of Eq. (20),
    `loss.composite.mean_attack_power_loss`, where the scenario does not say that each keeps its
    own. Eve's own classifier is in none.

    Attributes:
        knowledge: "white" or "black".
        black_box: "single" or "ensemble".
        loss: a name of `loss.composite.PRIVACY_LOSSES`.
    """

    knowledge: str
    black_box: str = "single"
    loss: str = "confidence"

    @property
    def ensemble(self):
        """Whether this is the stronger black box."""
        return self.knowledge == "black" and self.black_box == "ensemble"
