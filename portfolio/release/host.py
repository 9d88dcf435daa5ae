"""The one seam to the host: services, commands of a release under their own user, Prefect's API, the web service."""

from __future__ import annotations

import json
import os
import pwd
import subprocess  # nosec B404  # services and releases are driven by commands
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portfolio.release.failures import ReleaseError
from portfolio.release.layout import Layout
from portfolio.release.prefect_api import PrefectApi

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from portfolio.release.layout import Slot

USER = "portfolio"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PROFILES = "prefect-profiles.toml"
LOOK_S = 3.0
COMMAND_S = 300.0  # no command of a release that the tool waits for takes minutes
TOLD = 1500  # characters of a failed command's words that a reason carries
# Fits and linear algebra on one thread, as in the units.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def worker_unit(slot: Slot) -> str:
    """Name the unit of a slot's worker."""
    return f"portfolio-worker@{slot}.service"


def worker_name(slot: Slot) -> str:
    """Name a slot's worker as Prefect knows it."""
    return f"worker-{slot}"


WEB_UNIT, WEB_SOCKET = "portfolio-web.service", "portfolio-web.socket"


@dataclass(frozen=True, slots=True)
class Host:
    """The host whose files lie under the layout's root; services are systemctl's wherever the root is."""

    layout: Layout
    api_url: str
    web_url: str
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def here(cls, root: Path) -> Host:
        """Return this machine, or one of a test's under another root."""
        get = os.environ.get
        kept = {} if root == Path("/") else {"PATH": os.environ["PATH"]} | _only("COVERAGE_")
        api, web = (
            get("PREFECT_API_URL", "http://127.0.0.1:4200/api"),
            get("PORTFOLIO_WEB_URL", "http://127.0.0.1:8080"),
        )
        return cls(Layout(root), api.rstrip("/"), web.rstrip("/"), kept)

    @property
    def api(self) -> PrefectApi:
        """Prefect's API, with the password that only root can read."""
        secret = self.layout.credentials / "prefect-auth"
        try:
            return PrefectApi(self.api_url, secret.read_text("utf-8").strip())
        except FileNotFoundError:
            return PrefectApi(self.api_url)

    @property
    def user(self) -> pwd.struct_passwd | None:
        """The user that the services run as; None when commands run as whoever runs the tool: in tests."""
        if os.geteuid() != 0 or self.layout.root != Path("/"):
            return None
        try:
            return pwd.getpwnam(USER)
        except KeyError as error:
            message = f"The host has no user {USER}: run `make provision` first."
            raise ReleaseError(message) from error

    def systemctl(self, *arguments: str, check: bool = True, timeout_s: float = COMMAND_S) -> str:
        """Run systemctl and return what it printed; raises ReleaseError with its words when it fails."""
        ended = _run(["systemctl", *arguments], timeout_s, env=os.environ | {"SYSTEMD_COLORS": "0"})
        if check and ended.returncode:
            message = f"systemctl {' '.join(arguments)} failed: {_words(ended)}"
            raise ReleaseError(message)
        return ended.stdout

    def property_of(self, unit: str, name: str) -> str:
        """Read one property of a unit, empty when systemd has no such unit."""
        return self.systemctl("show", "--value", f"--property={name}", unit, check=False).strip()

    def is_active(self, unit: str) -> bool:
        """Tell whether a unit runs or is about to."""
        return self.property_of(unit, "ActiveState") in {"active", "activating", "reloading"}

    def has_ended(self, unit: str) -> bool:
        """Tell whether nothing of a unit runs, nor is it about to."""
        return self.property_of(unit, "ActiveState") in {"inactive", "failed"}

    def is_going_down(self) -> bool:
        """Tell whether the host shuts down or reboots: what is started now would not be."""
        return self.systemctl("is-system-running", check=False).strip() == "stopping"

    def run_release(
        self, version: str, *command: str, settings: Mapping[str, str] | None = None, fds: Sequence[int] = (),
        timeout_s: float = COMMAND_S,
    ) -> subprocess.CompletedProcess[str]:  # fmt: skip
        """Run a command of a release, by its real path, as the services' user and with nothing secret around it."""
        return self.run_as_service(
            [str(self.layout.release(version) / "venv/bin" / command[0]), *command[1:]], settings, fds, timeout_s
        )

    def run_as_service(
        self, command: Sequence[str], settings: Mapping[str, str] | None, fds: Sequence[int], timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as the services' user, from the settings' folder."""
        user = self.user
        environment = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": str(self.layout.at("/var/cache/portfolio"))}
        environment |= ONE_THREAD | {
            "PREFECT_API_URL": self.api_url,
            "DO_NOT_TRACK": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        environment |= dict(self.environment) | dict(settings or {})
        options: dict[str, Any] = {"env": environment, "pass_fds": tuple(fds), "cwd": self.layout.settings}
        if user:
            options |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "umask": 0o027}
        return _run(command, timeout_s, **options)

    def answer_of(self, version: str, *command: str, settings: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Run a command of a release that prints one JSON document, and return it; its exit code is its own affair.

        Raises ReleaseError when it prints something else.
        """
        ended = self.run_release(version, *command, settings=settings)
        try:
            answer = json.loads(ended.stdout)
        except ValueError as error:
            message = f"Release {version}: `{' '.join(command)}` gave no answer: {_words(ended)}"
            raise ReleaseError(message) from error
        if not isinstance(answer, dict):
            message = f"Release {version}: `{' '.join(command)}` answered {ended.stdout[:80]!r}, not a document."
            raise ReleaseError(message)
        return answer

    def must(
        self, version: str, *command: str, settings: Mapping[str, str] | None = None, fds: Sequence[int] = ()
    ) -> str:
        """Run a command of a release; raises ReleaseError with its words when it fails."""
        ended = self.run_release(version, *command, settings=settings, fds=fds)
        if ended.returncode:
            message = f"Release {version}: `{' '.join(command)}` ended with {ended.returncode}: {_words(ended)}"
            raise ReleaseError(message)
        return ended.stdout

    @contextmanager
    def prefect_profile(self) -> Iterator[tuple[dict[str, str], tuple[int, ...]]]:
        """Lend a release's command the API's password: a file in memory that only it inherits.

        It stands in no environment, on no disk, and is gone with the command.
        """
        secret = self.layout.credentials / PROFILES
        if not secret.is_file():
            yield {}, ()
            return
        lent = os.memfd_create(PROFILES)
        try:
            os.write(lent, secret.read_bytes())
            yield {"PREFECT_PROFILES_PATH": f"/proc/self/fd/{lent}"}, (lent,)
        finally:
            os.close(lent)

    def web_answers(self, version: str) -> str:
        """Ask the web service whether it is alive, as a release; returns what is wrong, nothing when all is well."""
        page = f"{self.web_url}/healthz"
        try:
            with urllib.request.urlopen(page, timeout=LOOK_S) as answer:  # noqa: S310  # nosec B310  # our own server
                seen = json.loads(answer.read())["release"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            return f"the web service at {page} does not answer ({error!r})"
        return "" if seen == version else f"the web service at {page} is still of release {seen}, not {version}"


def _only(prefix: str) -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key.startswith(prefix)}


def _run(command: Sequence[str], timeout_s: float, **options: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401  # subprocess's own
    try:
        process = subprocess.Popen(  # noqa: S603  # nosec B603  # systemd's or a release's own commands
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            errors="replace", start_new_session=True, **options,
        )  # fmt: skip
    except OSError as error:
        message = f"`{command[0]}` cannot be run ({error.strerror})."
        raise ReleaseError(message) from error
    try:
        said, complained = process.communicate(timeout=timeout_s)
    except BaseException as error:
        _kill(process, options)
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        message = f"`{' '.join(command)}` had not ended after {timeout_s:g} s, and was ended."
        raise ReleaseError(message) from error
    return subprocess.CompletedProcess(command, process.returncode, said, complained)


def _kill(process: subprocess.Popen[str], options: Mapping[str, Any]) -> None:
    """End a command and all it has started, as its own user: in its sandbox root may signal nobody else's."""
    whose = {name: options[name] for name in ("user", "group", "extra_groups") if name in options}
    subprocess.run(  # noqa: S603  # nosec B603  # a command that this process began
        ["/bin/sh", "-c", "kill -s KILL -- -$1", "sh", str(process.pid)], check=False, capture_output=True, **whose
    )
    process.communicate()


def _words(ended: subprocess.CompletedProcess[str]) -> str:
    told = (ended.stderr.strip() or ended.stdout.strip() or f"exit code {ended.returncode}")[-TOLD:]
    return " ".join(told.split())
