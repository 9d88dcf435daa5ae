"""The machine the artefacts are made for: Debian 12 on x86_64."""

from __future__ import annotations

from typing import Final

PYTHON: Final = "3.11.2"
MACHINE: Final = "x86_64"
GLIBC_MINOR: Final = 36  # Debian 12 has glibc 2.36
OLDEST_GLIBC_MINOR: Final = 5  # manylinux1

# Every name a requirement's marker may ask for: what is not given would be answered for this machine.
MARKERS: Final = {
    "extra": "",
    "implementation_name": "cpython",
    "implementation_version": PYTHON,
    "os_name": "posix",
    "platform_machine": MACHINE,
    "platform_python_implementation": "CPython",
    "platform_release": "6.1.0",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": PYTHON,
    "python_version": "3.11",
    "sys_platform": "linux",
}

PLATFORMS: Final = (
    *(f"manylinux_2_{minor}_{MACHINE}" for minor in range(GLIBC_MINOR, OLDEST_GLIBC_MINOR - 1, -1)),
    f"manylinux2014_{MACHINE}",
    f"manylinux2010_{MACHINE}",
    f"manylinux1_{MACHINE}",
    f"linux_{MACHINE}",
)
ABIS: Final = ("cp311", "abi3", "none")
