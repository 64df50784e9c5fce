"""How many fields one network call should see: as many as the fast memory holds, fewer where there is no room."""

import torch

from engine.window import Pair

CACHE_BYTES = 6 * 2**20
"""On a processor: activations up to this size stay in its caches, larger ones wait for memory."""

ACTIVATIONS = 12
"""So many activations of the largest size a network call may hold at once, skip connections and copies included."""

SHARE_OF_FREE_MEMORY = 0.5
MOST_FIELDS = 512


def fields_at_once(pair: Pair) -> int:
    """Fields that one call of a pair's networks should see on its device: at least one."""
    field = pair.dtype.itemsize * pair.largest_activation
    if pair.device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(pair.device)
        fields = SHARE_OF_FREE_MEMORY * free / (ACTIVATIONS * field)
    else:
        fields = CACHE_BYTES / field
    return int(min(max(fields, 1), MOST_FIELDS))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a computation failed for want of memory, on a GPU or beside one."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
