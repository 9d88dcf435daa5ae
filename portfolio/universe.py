"""The instruments: a readable file in, checked records out. Reads one file; never guesses a missing field."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date  # noqa: TC003  # pydantic reads the annotation at run time
from importlib import resources
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from portfolio.errors import UniverseError

if TYPE_CHECKING:
    from pathlib import Path

CASH = "CASH"
ISIN_LENGTH = 12


def isin_check_digit_holds(isin: str) -> bool:
    """Tell whether the last digit of an ISIN is right.

    Letters become two digits (A=10 ... Z=35), then the Luhn sum must be a multiple of ten.
    Source: ISO 6166:2021, annex A.
    """
    if len(isin) != ISIN_LENGTH or not isin.isascii() or not isin.isalnum() or isin != isin.upper():
        return False
    digits = [int(digit) for character in isin for digit in str(int(character, 36))]
    doubled = [digit * 2 if place % 2 else digit for place, digit in enumerate(reversed(digits))]
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def _checked_isin(isin: str) -> str:
    if not isin_check_digit_holds(isin):
        message = f"{isin!r} is not an ISIN: twelve letters and digits of which the last is the check digit"
        raise ValueError(message)
    return isin


Name = Annotated[str, Field(min_length=1)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Instrument(_Record):
    """A line the account may hold."""

    ticker: Annotated[str, Field(pattern=r"^[A-Z0-9.^=-]+$")]
    isin: Annotated[str, AfterValidator(_checked_isin)]
    name: Name
    exchange: Literal["XPAR"]
    currency: Literal["EUR"]
    leverage: Annotated[int, Field(ge=1, le=3)]
    role: Name
    pea_eligible: bool
    pea_source: Name
    pea_checked_on: date

    @property
    def leveraged(self) -> bool:
        """Whether the line counts towards the limit on leveraged ETFs."""
        return self.leverage > 1


class Driver(_Record):
    """An index the regime is read from."""

    symbol: Name
    name: Name
    exchange: Literal["XNYS", "XPAR"]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class MacroSeries(_Record):
    """A FRED series that can serve as an optional feature."""

    series: Annotated[str, Field(pattern=r"^[A-Z0-9]+$")]
    name: Name
    unit: Name
    revised: bool = False  # whether values are restated after their first release


class _UniverseFile(_Record):
    schema_: Annotated[Literal[1], Field(alias="schema")]
    instrument: Annotated[tuple[Instrument, ...], Field(min_length=1)]
    driver: Annotated[tuple[Driver, ...], Field(min_length=1)]
    macro: tuple[MacroSeries, ...] = ()


@dataclass(frozen=True, slots=True)
class Universe:
    """What may be held and what is watched; tickers and symbols are unique over all of it."""

    instruments: tuple[Instrument, ...]
    drivers: tuple[Driver, ...]
    macro: tuple[MacroSeries, ...]

    def instrument(self, ticker: str) -> Instrument:
        """Return the instrument of that ticker."""
        for instrument in self.instruments:
            if instrument.ticker == ticker:
                return instrument
        message = f"{ticker} is not in the universe, which has {', '.join(self.tickers)}: add it or mend the ticker."
        raise UniverseError(message)

    @property
    def tickers(self) -> tuple[str, ...]:
        """Tickers in the file's order, which is the order of every table shown."""
        return tuple(instrument.ticker for instrument in self.instruments)

    @property
    def leveraged(self) -> frozenset[str]:
        """Tickers that count towards the limit on leveraged ETFs."""
        return frozenset(instrument.ticker for instrument in self.instruments if instrument.leveraged)

    @property
    def exchanges(self) -> dict[str, str]:
        """Exchange of each ticker and driver symbol."""
        exchanges: dict[str, str] = {item.ticker: item.exchange for item in self.instruments}
        return exchanges | {item.symbol: item.exchange for item in self.drivers}

    @property
    def currencies(self) -> dict[str, str]:
        """Declared currency of each ticker and driver symbol."""
        currencies: dict[str, str] = {item.ticker: item.currency for item in self.instruments}
        return currencies | {item.symbol: item.currency for item in self.drivers}


def read_universe(path: Path | None = None) -> Universe:
    """Read a universe file, the packaged one when no path is given.

    Raises UniverseError naming the file, the place, the rule and the value seen.
    """
    where = str(path) if path else "the packaged universe.toml"
    try:
        text = path.read_text("utf-8") if path else resources.files("portfolio").joinpath("universe.toml").read_text()
        content = _UniverseFile.model_validate(tomllib.loads(text))
    except OSError as error:
        message = (
            f"Universe file {where} cannot be read ({error.strerror}): set PORTFOLIO_UNIVERSE_FILE to a readable file."
        )
        raise UniverseError(message) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"Universe file {where} is not TOML ({error}): compare it with the packaged universe.toml."
        raise UniverseError(message) from error
    except ValidationError as error:
        raise UniverseError(_explained(where, error)) from error
    universe = Universe(content.instrument, content.driver, content.macro)
    _ensure_unique(where, universe)
    return universe


def _explained(where: str, error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    more = error.error_count() - 1
    rest = f" ({more} more)" if more else ""
    return (
        f"Universe file {where}: {place}: {first['msg']}; seen {first['input']!r}{rest}. Mend the file and run again."
    )


def _ensure_unique(where: str, universe: Universe) -> None:
    names = [*universe.tickers, *(d.symbol for d in universe.drivers), *(m.series for m in universe.macro), CASH]
    isins = [instrument.isin for instrument in universe.instruments]
    for values in (names, isins):
        repeated = sorted({value for value in values if values.count(value) > 1})
        if repeated:
            message = f"Universe file {where}: {repeated[0]} stands twice, each name may stand once ({CASH} is taken)."
            raise UniverseError(message)
