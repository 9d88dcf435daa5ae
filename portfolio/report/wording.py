"""How the page writes numbers, days and its headline: English, whatever the machine's locale.

A number and its unit are held together by no-break spaces; what is unknown is written "n/a".
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from datetime import date, datetime

    from portfolio.report.data import ReportData

PARIS = ZoneInfo("Europe/Paris")
NO_BREAK = "\u00a0"
MINUS = "\u2212"
UNKNOWN = "n/a"
ALMOST = 0.0005  # nearer to 0 or 1 a probability with one decimal would read 0.0 % or 100.0 %
_NUMBER_GAP = re.compile(r"(?<=[<>]) (?=\d)|(?<=\d) (?=(?:%|EUR\b|points?\b))")
# strftime and calendar follow the locale; the page is English everywhere.
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTHS_FULL = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def grouped(value: float | None, decimals: int = 0, *, signed: bool = False) -> str:
    """Write a number with thousands apart: 1 234.56."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    text = f"{abs(value):,.{decimals}f}".replace(",", NO_BREAK)
    is_zero = not any(digit in "123456789" for digit in text)  # what rounds to nothing has no sign
    sign = "" if is_zero else MINUS if value < 0 else "+" if signed else ""
    return sign + text


def money(value: float | None, *, signed: bool = False) -> str:
    """Write an amount: 1 234.56 EUR."""
    return _with_unit(grouped(value, 2, signed=signed), "EUR")


def price(value: float | None) -> str:
    """Write a price with two to four decimals, as quoted: quantity times price must give the amount shown."""
    number = grouped(value, 4)
    return UNKNOWN if number == UNKNOWN else _with_unit(number[:-2] + number[-2:].rstrip("0"), "EUR")


def percent(fraction: float | None, decimals: int = 1, *, signed: bool = False) -> str:
    """Write a fraction in percent: 12.3 %."""
    return _with_unit(grouped(_hundredfold(fraction), decimals, signed=signed), "%")


def probability(fraction: float | None) -> str:
    """Write a probability in percent; what only rounds to certainty is not called certain: > 99.9 %."""
    if fraction is None or not 0 < fraction < 1:
        return percent(fraction)
    if fraction < ALMOST:
        return f"<{NO_BREAK}{percent(0.001)}"
    return f">{NO_BREAK}{percent(0.999)}" if fraction > 1 - ALMOST else percent(fraction)


def weight(fraction: float | None) -> str:
    """Write a weight in percent to the basis point: 28.00 %."""
    return percent(fraction, 2)


def points(fraction: float | None, *, signed: bool = False) -> str:
    """Write a difference of weights in percentage points: 1.25 pt."""
    return _with_unit(grouped(_hundredfold(fraction), 2, signed=signed), "pt")


def unbroken(text: str) -> str:
    """Hold the numbers of a sentence and their units together, so that no line ends between them."""
    return _NUMBER_GAP.sub(NO_BREAK, text)


def _hundredfold(fraction: float | None) -> float | None:
    return None if fraction is None else fraction * 100


def _with_unit(number: str, unit: str) -> str:
    return number if number == UNKNOWN else f"{number}{NO_BREAK}{unit}"


def day(value: date | None) -> str:
    """Write a day: 2 Jan 2019."""
    return UNKNOWN if value is None else f"{value.day}{NO_BREAK}{MONTHS[value.month - 1]}{NO_BREAK}{value.year}"


def day_full(value: date) -> str:
    """Write a day with its weekday: Wednesday 2 January 2019."""
    return f"{WEEKDAYS[value.weekday()]} {value.day}{NO_BREAK}{MONTHS_FULL[value.month - 1]}{NO_BREAK}{value.year}"


def instant(value: datetime) -> str:
    """Write an aware instant in Paris time: 2 Jan 2019, 07:30 (UTC+01:00)."""
    local = value.astimezone(PARIS)
    offset = local.strftime("%z")
    return f"{day(local.date())}, {local:%H:%M} (UTC{offset[:3]}:{offset[3:]})"


def counted(count: int, noun: str) -> str:
    """Write a count with its noun: 1 order, 2 orders, no orders."""
    return f"{count or 'no'}{NO_BREAK}{noun}{'' if count == 1 else 's'}"


def headline(data: ReportData) -> str:
    """Say the decision in one sentence."""
    start = f"{data.decision.decision} for {day_full(data.decision.session)}: "
    if data.decision.decision == "HOLD":
        return f"{start}no orders, because {_first_clause(data.decision.reasons)}."
    if data.orders.refused:
        return f"{start}the order plan was refused, so no orders."
    if not data.orders.orders:
        return f"{start}no orders, the account stays as it is."
    return f"{start}{_trades(data)}."


def _trades(data: ReportData) -> str:
    sides = [order.side for order in data.orders.orders]
    counts = [(side, sides.count(side)) for side in ("sell", "buy")]
    trades = ", ".join(f"{side} {counted(count, 'line')}" for side, count in counts if count)
    cash = (data.orders.weights_after or {}).get("CASH")
    return trades if cash is None else f"{trades}, keep {weight(cash)} in cash"


def _first_clause(reasons: tuple[str, ...]) -> str:
    """Cut the first reason after what happened (the rule and what to do follow it) and fit it into a sentence."""
    if not reasons:
        return "no reason was given"
    clause = re.split(r"[.;] ", reasons[0], maxsplit=1)[0].rstrip(".;")
    first = clause.split(" ", 1)[0]
    is_name = not first.isalpha() or not first.istitle()  # a ticker or an abbreviation keeps its capitals
    return clause if is_name else clause[0].lower() + clause[1:]
