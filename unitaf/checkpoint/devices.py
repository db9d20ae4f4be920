"""Which devices there are to load a checkpoint on."""

import torch

from unitaf.errors import ConfigError


def check_device(device: str) -> None:
    """Refuse a device that is none, or that this machine does not have.

    Raises:
        ConfigError: Saying why it cannot be used.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"the device {device!r} cannot be used here: {reason}") from error
