"""The sum of all ranks' numbers in every rank: torch's own all-reduce, and two written by hand beside it."""

from collections.abc import Callable
from typing import Final

import torch
import torch.distributed as dist
from torch import Tensor

from dpdash.core.scaling.exchange import ExchangeWay
from dpdash.training.ddp.sharded import LEADER, Ranks

BYTES_OF_A_NUMBER: Final = 4


def numbers(num_bytes: int, device: torch.device) -> Tensor:
    """So many bytes of float32, at least one number; zeros, whose sum is the same however often it is taken."""
    return torch.zeros(max(1, num_bytes // BYTES_OF_A_NUMBER), device=device)


def all_reduce(tensor: Tensor, ranks: Ranks) -> None:
    """Add up over the ranks, in place."""
    dist.all_reduce(tensor, group=ranks.group)


def ring(tensor: Tensor, ranks: Ranks) -> None:
    """Add up over the ranks, in place, each rank sending to the next one.

    Of as many parts as there are ranks, each goes round once to be summed and once to be told. A rank sends
    2 (n − 1) / n of its bytes, however many ranks there are (Patarasuk & Yuan, Bandwidth optimal all-reduce
    algorithms for clusters of workstations, 2009).
    """
    num_ranks, rank = ranks.num_ranks, ranks.rank
    parts = tensor.tensor_split(num_ranks)
    for turn in range(num_ranks - 1):
        here = parts[(rank - turn - 1) % num_ranks]
        here += _passed_on(parts[(rank - turn) % num_ranks], torch.empty_like(here), ranks)
    for turn in range(num_ranks - 1):
        here = parts[(rank - turn) % num_ranks]
        here.copy_(_passed_on(parts[(rank - turn + 1) % num_ranks], torch.empty_like(here), ranks))


def naive(tensor: Tensor, ranks: Ranks) -> None:
    """Add up over the ranks, in place: the first rank receives from each of the others, and sends to each."""
    others = range(LEADER + 1, ranks.num_ranks)
    if not ranks.is_leader:
        dist.send(tensor, LEADER, group=ranks.group)
        dist.recv(tensor, LEADER, group=ranks.group)
        return
    received = torch.empty_like(tensor)
    for other in others:
        dist.recv(received, other, group=ranks.group)
        tensor += received
    for other in others:
        dist.send(tensor, other, group=ranks.group)


WAYS: Final[dict[ExchangeWay, Callable[[Tensor, Ranks], None]]] = {
    ExchangeWay.ALL_REDUCE: all_reduce,
    ExchangeWay.RING: ring,
    ExchangeWay.NAIVE: naive,
}


def exchange(way: ExchangeWay, tensor: Tensor, ranks: Ranks) -> None:
    """Add up over the ranks, in place, in one of the ways."""
    if way is ExchangeWay.ALL_REDUCE or not tensor.is_cuda or dist.get_backend(ranks.group) != "gloo":
        WAYS[way](tensor, ranks)
        return
    # From rank to rank Gloo sends what is in the computer's memory; its own all-reduce copies just so.
    copy = tensor.cpu()
    WAYS[way](copy, ranks)
    tensor.copy_(copy)


def _passed_on(sent: Tensor, received: Tensor, ranks: Ranks) -> Tensor:
    """What comes from the rank before, while the next one gets what is sent."""
    after, before = (ranks.rank + 1) % ranks.num_ranks, (ranks.rank - 1) % ranks.num_ranks
    both = ((dist.isend, sent, after), (dist.irecv, received, before))
    # In one batch, because over NCCL each rank would wait in its send for the other's receive.
    wanted = [dist.P2POp(do, part, peer, ranks.group) for do, part, peer in both if part.numel()]
    for work in dist.batch_isend_irecv(wanted) if wanted else ():
        work.wait()
    return received
