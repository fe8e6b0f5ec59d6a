"""File systems of a test's own, where the system lets anybody mount them."""

import shutil
import subprocess
from typing import Final

import pytest

MOUNT: Final = ("unshare", "--user", "--map-root-user", "--mount")


def _can_mount() -> bool:
    return (
        shutil.which(MOUNT[0]) is not None
        and subprocess.run([*MOUNT, "true"], capture_output=True).returncode == 0
    )


needs_mount = pytest.mark.skipif(not _can_mount(), reason="needs unprivileged mounts (unshare --user --mount)")
