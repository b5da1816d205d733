"""Pictures over a convolutional DeepJSCC link, the field's own (arXiv:1809.01733); CIFAR-10."""

import dataclasses

from arn_keras.scenario.scenario import Scenario, option


@dataclasses.dataclass(frozen=True)
class DeepJSCC(Scenario):
    """Colour pictures, signals with places, eavesdroppers that convolve."""

    about = "pictures over a convolutional DeepJSCC link"
    block = "conv"

    compression: str = option("1/6", "k/n, complex symbols a source value, for example 1/12")

    def dataset(self, name, data_dir, limit, folder=None):
        """CIFAR-10, or another set of pictures by name."""
        name = "cifar10" if name == "auto" else name
        return super().dataset(name, data_dir, limit, folder)

    def build_link(self, dataset):
        """The convolutional transmitter and receiver."""
        from arn_keras.link.deepjscc import build_receiver, build_transmitter

        how = dataset.source_shape, self.compression
        return build_transmitter(*how), build_receiver(*how)
