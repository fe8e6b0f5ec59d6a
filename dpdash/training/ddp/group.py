"""Ranks of DDP that stay for a whole study and measure what they are told to."""

import logging
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Final, Self

from dpdash.core.config import RunConfig
from dpdash.core.errors import N_
from dpdash.core.scaling.exchange import ExchangeWay
from dpdash.core.scaling.variants import Variant
from dpdash.training.ddp.channel import Beat, ExchangeWork, Measure, Measured, NotMeasured, StepWork
from dpdash.training.ddp.engine import MODULE, NO_FOLDER, NO_START, NUM_STARTS
from dpdash.training.ddp.launch import Launch, NoFolderError, RankSilentError, StartFailedError
from dpdash.training.variants.measurer import MeasuringError
from dpdash.training.variants.steady import Steady

_log = logging.getLogger(__name__)
RANK_GONE: Final = N_(
    "One of the processes of DDP ended while it measured; perhaps it was killed because memory was short. What "
    "was measured is kept. Press Start to measure again, with fewer replicas or samples if it happens again."
)
RANK_HANGS: Final = N_(
    "One of the processes of DDP has not answered for some seconds, so the study was ended. What was measured is "
    "kept. Press Start to measure again, with fewer replicas if it happens again."
)


class RankGroup:
    """Measures the steps of DDP, and the exchange alone, in processes of its own; see `Measurer`.

    The first of its ranks do what has fewer replicas; the others wait then, and take no core.
    """

    def __init__(self, num_ranks: int, module: str = MODULE) -> None:
        """`module` is what each rank runs. Nothing is started before it is entered."""
        self._num_ranks = num_ranks
        self._module = module
        self._open = ExitStack()
        self._problem: str | None = None
        """Why no more can be measured."""

    def __enter__(self) -> Self:
        """Start the ranks.

        Raises:
            MeasuringError: if they do not come up.
        """
        for attempt in range(NUM_STARTS):
            try:
                self._launch = self._started()
                return self
            except NoFolderError:
                raise MeasuringError(NO_FOLDER) from None
            except StartFailedError:
                if attempt == NUM_STARTS - 1:
                    raise MeasuringError(NO_START) from None
        raise AssertionError

    def __exit__(self, *_error: object) -> None:
        self._open.close()

    def measure(self, config: RunConfig, variant: Variant, seconds: float) -> Steady:
        """See `Measurer`; the config has at most as many replicas as there are ranks."""
        return self._measured(Measure(StepWork(config, variant), config.replicas, seconds))

    def exchange(self, way: ExchangeWay, num_bytes: int, num_ranks: int, seconds: float) -> Steady:
        """The steady rate of adding up so many bytes of float32 of each of the first ranks, in every one of them.

        Raises:
            MeasuringError: when it cannot be measured; nothing else can be then.
        """
        return self._measured(Measure(ExchangeWork(way, num_bytes), num_ranks, seconds))

    def _started(self) -> Launch:
        with ExitStack() as stack:
            launch = stack.enter_context(Launch(self._num_ranks, self._module))
            launch.wait_until_connected(lambda: True)
            self._open = stack.pop_all()
        return launch

    def _measured(self, order: Measure) -> Steady:
        if self._problem is not None:
            raise MeasuringError(self._problem)
        with suppress(OSError):  # one that is gone already is found to be when it is listened to
            for connection in self._launch.ranks:
                connection.send(order)
        try:
            answers = self._answers()
        except RankSilentError:
            raise self._broken(RANK_HANGS) from None
        except (EOFError, OSError):
            raise self._broken(RANK_GONE) from None
        # The step is over when the slowest rank has done it; the first rank knows what it has gathered.
        slowest = max(answer.step_seconds for answer in answers)
        return replace(answers[0], step_seconds=slowest)

    def _answers(self) -> list[Steady]:
        """What each rank that had a part in it saw, in the order of the ranks."""
        answers: dict[int, Steady | None] = {}
        for connection in self._launch.speaking():
            message = connection.recv()
            if isinstance(message, NotMeasured):
                raise self._broken(RANK_GONE if self._launch.has_lost_one() else message.problem)
            if not isinstance(message, Beat):
                assert isinstance(message, Measured)
                answers[self._launch.ranks[connection]] = message.steady
            if len(answers) == self._num_ranks:
                break
        return [answer for _rank, answer in sorted(answers.items()) if answer is not None]

    def _broken(self, problem: str) -> MeasuringError:
        """What is raised when no more can be measured: the other ranks may wait for one that is gone for ever."""
        _log.warning("The ranks measure no more: %s\n%s", problem, self._launch.log())
        self._open.close()
        self._problem = problem
        return MeasuringError(problem)
