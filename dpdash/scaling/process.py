"""The process in which a study measures: `python -m dpdash.scaling.process`.

It takes the orders of a process that trains, and gives each replica one core: one device is then one core, as
DDP's ranks are, and the speed-up of replicas is not that of the threads that torch would start anyhow.
"""

import os

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def main() -> None:
    """Measure until the one who ordered it hangs up."""
    os.environ.update(ONE_THREAD)
    # Here and not above: torch reads them when it is imported.
    from dpdash.training.processes import worker as training_process

    training_process.main()


if __name__ == "__main__":
    main()
