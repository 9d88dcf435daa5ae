"""Write the table of variables into each role's README from its argument specs: `make docs`.

The specs are what Ansible checks at each run, so that the table cannot promise something else.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLES = Path(__file__).parent / "roles"
BEGIN, END = "<!-- variables: written by `make docs` -->", "<!-- end of variables -->"


def main() -> int:
    """Write every README anew."""
    for readme in sorted(ROLES.glob("*/README.md")):
        readme.write_text(with_table(readme), "utf-8")
    return 0


def with_table(readme: Path) -> str:
    """Return a README's text with the table as the specs have it; raises ValueError when it has no place for one."""
    text = readme.read_text("utf-8")
    if BEGIN not in text or END not in text:
        message = f"{readme} has no place for its variables: put the lines {BEGIN!r} and {END!r} into it."
        raise ValueError(message)
    before, _, rest = text.partition(BEGIN)
    table = "\n".join(_rows(readme.parent / "meta/argument_specs.yml"))
    return f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}"


def _rows(specs: Path) -> Iterator[str]:
    options = yaml.safe_load(specs.read_text("utf-8"))["argument_specs"]["main"]["options"]
    yield "| variable | default | what it does |"
    yield "|---|---|---|"
    for name, option in sorted(options.items()):
        yield f"| `{name}` | {_default(option)} | {option['description']}{_choices(option)} |"


def _default(option: dict[str, Any]) -> str:
    value = option.get("default")
    if option.get("no_log"):
        return "the controller's environment (secret)"
    if isinstance(value, str) and "lookup('ansible.builtin.env'" in value:
        return f"the make command's `{value.split(chr(39))[3]}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if value not in ([], {}) else "none"


def _choices(option: dict[str, Any]) -> str:
    return f" One of {', '.join(map(str, option['choices']))}." if "choices" in option else ""


if __name__ == "__main__":
    sys.exit(main())
