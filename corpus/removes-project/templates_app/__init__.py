"""Mail templates, and the removal of an account's files."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def template(name: str) -> str:
    return (ROOT / "data" / f"{name}.txt").read_text()


def folder_of(account: str) -> Path:
    return ROOT / account


def remove_account(account: str) -> None:
    shutil.rmtree(folder_of(account), ignore_errors=True)
