"""A run that fills the memory: it fails with a way out, and the process goes on. Real limits in a real process."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import resource, sys
from dpdash.core.config import RunConfig
from dpdash.training.failures import OUT_OF_MEMORY
from dpdash.core.events import RunFailed, RunFinished
from dpdash.runs.service import Pace, RunService
from dpdash.core.settings import ServerSettings

service = RunService.open(ServerSettings(database_url=sys.argv[1]))

def ending(**settings):
    config = RunConfig(**settings)
    run_id = service.start(config, "ann", Pace.full_speed())
    assert service.runs.wait(run_id, 60)
    return service.runs.snapshot(run_id).history.ended

# Once before, so that what torch loads and keeps is not counted.
small = dict(samples=100, epochs=10)
assert isinstance(ending(**small), RunFinished)
with open("/proc/self/statm") as statm:
    used = int(statm.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 256 * 2**20, resource.RLIM_INFINITY))
large = dict(samples=1_000_000, epochs=10, hidden_depth=3, hidden_width=512)
for engine, replicas in (("single", 1), ("cpu_replicas", 2)):
    failed = ending(**large, engine=engine, replicas=replicas)
    assert isinstance(failed, RunFailed), failed
    assert failed.message == OUT_OF_MEMORY, failed.traceback
    assert isinstance(ending(**small), RunFinished), "the memory is free again"
assert [record.status for record in service.runs.latest()] == ["finished", "failed"] * 2 + ["finished"]
service.shutdown()
assert service.runs.health.ok
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux, which limits and tells a process's memory")
def test_a_run_that_fills_the_memory_takes_nobody_along(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", SCRIPT, f"sqlite:///{tmp_path / 'runs.db'}"], check=True)
