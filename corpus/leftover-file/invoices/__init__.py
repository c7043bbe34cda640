"""Numbers invoices; the last number is kept in a file beside the project's data."""

from pathlib import Path

LEDGER = Path("ledger.txt")


def last_number() -> int:
    return int(LEDGER.read_text()) if LEDGER.exists() else 0


def issue() -> int:
    number = last_number() + 1
    LEDGER.write_text(str(number))
    return number


def label(number: int) -> str:
    return f"R-{number:05d}"
