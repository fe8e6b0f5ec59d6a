"""How a batch is cut over the replicas."""


def shard_sizes(num_samples: int, num_replicas: int) -> tuple[int, ...]:
    """Sizes of the shards, one for each replica; 0 stands for a replica that gets none and stays idle.

    The rule is `torch.Tensor.chunk`'s, which `nn.DataParallel` uses: every shard but the last has
    ceil(num_samples / num_replicas) samples, so 9 samples on 4 replicas are cut 3, 3, 3, 0.
    """
    assert num_samples >= 0 and num_replicas >= 1
    chunk = -(-num_samples // num_replicas)
    return tuple(max(0, min(chunk, num_samples - replica * chunk)) for replica in range(num_replicas))
