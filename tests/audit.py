"""Known vulnerabilities in what is installed here, as `make check` wants them: `python -m tests.audit`.

pip-audit takes a service that knows none of the packages for one that has nothing against them, and ends well. So
it is asked for one package first: where that has no answer, the audit is skipped, by name.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from tempfile import NamedTemporaryFile
from typing import Any, Final

TIMEOUT_SECONDS: Final = 3
COMMAND: Final = (
    sys.executable,
    *("-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--timeout", str(TIMEOUT_SECONDS)),
)
UNREACHABLE: Final = re.compile(r"requests\.exceptions\.|ConnectionError|ServiceError|Could not connect")
SKIPPED: Final = "pip-audit: skipped, its service cannot be reached"

Package = Mapping[str, Any]


class UnreachableError(Exception):
    """The service that knows the vulnerabilities does not answer."""


class AuditError(Exception):
    """pip-audit itself has failed."""


def main() -> int:
    """Audit what is installed; the exit status is 1 where something is known to be vulnerable."""
    try:
        _require_service()
        packages = _audited()
    except UnreachableError:
        _say(SKIPPED)
        return 0
    except AuditError as error:
        _say(f"pip-audit: failed\n{error}")
        return 1
    found = list(vulnerabilities(packages))
    unknown = ", ".join(package["name"] for package in packages if "skip_reason" in package)
    for line in found:
        _say(f"pip-audit: {line}")
    if unknown:
        _say(f"pip-audit: its service does not know {unknown}")
    return 1 if found else 0


def vulnerabilities(packages: Sequence[Package]) -> Iterator[str]:
    """A line for each vulnerability, with the way out where there is one."""
    for package in packages:
        for known in package.get("vulns", ()):
            fixed = " or ".join(known["fix_versions"])
            way_out = f"Try {fixed}." if fixed else "There is no version without it yet."
            yield f"{package['name']} {package['version']} has {known['id']}. {way_out}"


def _require_service() -> None:
    with NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write(f"pip-audit=={version('pip-audit')}\n")
        requirements.flush()
        packages = _audited("--no-deps", "--disable-pip", "--requirement", requirements.name)
    if all("skip_reason" in package for package in packages):
        raise UnreachableError


def _audited(*options: str) -> list[Package]:
    """What pip-audit says of each package."""
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, check=False)
    try:
        packages: list[Package] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        if UNREACHABLE.search(done.stderr):
            raise UnreachableError from None
        raise AuditError(done.stderr) from None
    return packages


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
