"""The process in which a study measures: `python -m dpdash.scaling.process`.

It gives each replica one core: one device is then one core, as DDP's ranks are, and the speed-up of replicas is
not that of the threads that torch would start anyhow.
"""

import os
from typing import Final

ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def main() -> None:
    """Measure what is ordered, or until the one who ordered it hangs up."""
    os.environ.update(ONE_THREAD)
    # Here and not above: torch reads them when it is imported.
    from dpdash.scaling import worker

    worker.main()


if __name__ == "__main__":
    main()
