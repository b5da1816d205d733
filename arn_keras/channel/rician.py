"""Rician fading: a line of sight of power K/(K+1) and phase 0, and a scattered part of 1/(K+1)."""

from typing import Any

import keras

from arn_keras.channel.fading import Fading
from arn_keras.channel.listener import refuse_not_finite
from arn_keras.power import db_to_ratio


@keras.saving.register_keras_serializable("arn_keras")
class Rician(Fading):
    """A listener behind Rician fading.

    Args:
        seed, snr_offset_db, **kwargs: see `Fading`.
        k_factor_db: K in dB, power of the line of sight over that of the scattered part.

    Raises:
        ConfigError: for a K that is no finite number, and as `Fading`.
    """

    def __init__(
        self, seed: int = 0, snr_offset_db: float = 0.0, *, k_factor_db: float = 6.0, **kwargs: Any
    ) -> None:
        refuse_not_finite(k_factor_db=k_factor_db)
        super().__init__(seed, snr_offset_db, **kwargs)
        self.k_factor_db = k_factor_db

    @property
    def line_of_sight(self):
        """K / (K + 1)."""
        ratio = db_to_ratio(self.k_factor_db)
        return ratio / (ratio + 1.0)

    def get_config(self) -> dict[str, Any]:
        """Configuration for saving."""
        return {**super().get_config(), "k_factor_db": self.k_factor_db}
