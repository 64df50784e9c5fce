"""Fields made by chance whose neighbours are alike."""

import numpy as np
import scipy.ndimage


def smooth(random: np.random.Generator, *shape: int, width: float = 1.5) -> np.ndarray:
    """Noise of variance 1 whose neighbours are alike, float64 (…, y, x)."""
    sigma = (0,) * (len(shape) - 2) + (width, width)
    found: np.ndarray = scipy.ndimage.gaussian_filter(random.standard_normal(shape), sigma, mode="wrap")
    return found * (2 * np.sqrt(np.pi) * width)
