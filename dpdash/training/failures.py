"""What a failure of training is called on the page."""

from typing import Final

import torch

from dpdash.core.errors import N_

OUT_OF_GPU_MEMORY: Final = N_(
    "The memory of the GPU is full. Try fewer samples, a smaller global batch size or narrower hidden layers."
)
OUT_OF_MEMORY: Final = N_(
    "The memory of this machine is full. Try fewer samples, a smaller global batch size or narrower hidden "
    "layers, or wait until other runs have ended."
)
CPU_ALLOCATOR: Final = "DefaultCPUAllocator"
"""What torch raises when memory is full has no type of its own, but names who asked for it."""


def sentence(error: Exception) -> str:
    """What went wrong, with a way out where one is known."""
    if isinstance(error, torch.OutOfMemoryError):
        return OUT_OF_GPU_MEMORY
    if isinstance(error, MemoryError) or CPU_ALLOCATOR in str(error):
        return OUT_OF_MEMORY
    return f"{type(error).__name__}: {error}"
