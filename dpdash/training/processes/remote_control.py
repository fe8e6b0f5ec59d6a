"""A control whose commands come from another process."""

from collections.abc import Callable

from dpdash.training.control import RunControl
from dpdash.training.processes.messages import Obey


class RemoteControl(RunControl):
    """Obeys the control of another process, which it tells when the run stands."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        """`tell` is called, with the number of commands obeyed, when the run has come to a stand."""
        super().__init__()
        self._tell_stands = tell
        self._num_obeyed = 0

    def take(self, order: Obey) -> None:
        """Do what the other control was asked to do."""
        self.obey(order.command)
        self._num_obeyed = order.num_commands
        if self.is_standing:
            self._tell()

    def wait_while_standing(self) -> None:
        """See `RunControl`; the other process is told first."""
        with self._changed:
            if not self._may_move():
                self._tell()
            super().wait_while_standing()

    def stands(self, num_commands: int) -> None:
        """See `RunControl`: the run trains in a third process, and the first is told too."""
        super().stands(num_commands)
        if self.is_standing:
            self._tell()

    def _tell(self) -> None:
        self._tell_stands(self._num_obeyed)
