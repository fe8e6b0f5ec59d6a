"""Run as a module: a rank of DDP in which something breaks when it is called, as environment variables say."""

import importlib
import os
from typing import Any
from unittest import mock

from dpdash.training.ddp import worker as ddp_worker


class BreaksLater:
    """Does what it stands for, until it is called for the n-th time."""

    def __init__(self, original: Any, num_calls: int) -> None:
        self._original, self._num_left = original, num_calls

    def __call__(self, *arguments: Any) -> Any:
        self._num_left -= 1
        if self._num_left <= 0:
            raise ArithmeticError("the trace broke")
        return self._original(*arguments)


if __name__ == "__main__":
    if os.environ["RANK"] == os.environ["FAILING_TRACE_RANK"]:
        module, name = os.environ["FAILING_TRACE_NAME"].rsplit(".", 1)
        original = getattr(importlib.import_module(module), name)
        broken = BreaksLater(original, int(os.environ["FAILING_TRACE_CALL"]))
        mock.patch(f"{module}.{name}", broken).start()
    ddp_worker.main()
