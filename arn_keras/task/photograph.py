"""Reconstruction of pictures large enough for the measures of how they look: SSIM, MS-SSIM.

Wang, Bovik, Sheikh, Simoncelli, *Image Quality Assessment: From Error Visibility to Structural
Similarity*, IEEE Trans. Image Processing 13(4), 2004, and *Multiscale Structural Similarity for
Image Quality Assessment*, Asilomar 2003, as TensorFlow has them. The loss is the letter's.
"""

from arn_keras.task.image import Image, PictureMeter
from arn_keras.task.task import Measure

#: Side of the Gaussian window of SSIM, and the weights of the scales of MS-SSIM (2003, sec. 3.2).
WINDOW, SCALES = 11, (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
#: Of a picture without any error, in dB, in the mean of PSNRs.
MOST_PSNR_DB = 100.0


class PhotographMeter(PictureMeter):
    """The mean of the pictures' PSNRs, as papers give it, and their mean SSIM and MS-SSIM.

    MS-SSIM has as many of its five scales as the window fits into, two of 32 x 32, with their
    weights divided by their sum.
    """

    def __init__(self, ends):
        super().__init__(ends)
        self._sums = dict.fromkeys(("mean_psnr_db", "ssim", "ms_ssim"), 0.0)

    def add(self, target, estimate):
        """Adds a batch of pictures, [batch, h, w, c], h and w of at least 11."""
        import numpy as np
        import tensorflow as tf

        super().add(target, estimate)
        low, high = self._ends
        pictures = [(tf.cast(each, "float32") - low) / (high - low) for each in (target, estimate)]
        side = min(target.shape[1:3])
        scales = [weight for scale, weight in enumerate(SCALES) if side >> scale >= WINDOW]
        weights = [weight / sum(scales) for weight in scales]
        each = {
            "mean_psnr_db": tf.minimum(tf.image.psnr(*pictures, max_val=1.0), MOST_PSNR_DB),
            "ssim": tf.image.ssim(*pictures, max_val=1.0),
            "ms_ssim": tf.image.ssim_multiscale(*pictures, max_val=1.0, power_factors=weights),
        }
        for name, values in each.items():
            self._sums[name] += float(np.sum(values, dtype=float))

    def fields(self, sources):
        """The row's fields over so many sources."""
        means = {name: total / sources for name, total in self._sums.items()}
        return {**super().fields(sources), **means}


class Photograph(Image):
    """Bob is to see the picture that was sent, and it is judged by its looks, too."""

    measures = (
        *Image.measures,
        Measure("mean_psnr_db", "mean PSNR dB", ".2f"),
        Measure("ssim", "SSIM"),
        Measure("ms_ssim", "MS-SSIM"),
    )

    @property
    def drawn(self):
        """The measures that have figures: the error, and what it looks like."""
        return self.measures[0], *self.measures[3:]

    def meter(self):
        """A new `PhotographMeter`."""
        return PhotographMeter(self._ends)

    def proof_meter(self):
        """A new `PictureMeter`: how a picture looks takes TensorFlow."""
        return PictureMeter(self._ends)

    def caption(self, row):
        """What a picture's row of examples says of the case."""
        return f"PSNR {row['psnr_db']:.1f} dB, SSIM {row['ssim']:.3f}"


def picture_task(shape):
    """The name in `task.TASKS` of what pictures [h, w, c] are judged by."""
    return "photograph" if min(shape[:2]) >= WINDOW else "image"


PHOTOGRAPH = Photograph()
