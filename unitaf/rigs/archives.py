"""NumPy's archives of arrays, as rigs and head models come in them."""

from typing import BinaryIO
from zipfile import BadZipFile

import numpy as np


def read_archive(stream: BinaryIO) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file by name.

    Raises:
        ValueError: If it is not one, is damaged, or holds objects.
    """
    try:
        with np.load(stream, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (ValueError, TypeError, EOFError, BadZipFile, NotImplementedError) as error:
        raise ValueError(str(error)) from error
