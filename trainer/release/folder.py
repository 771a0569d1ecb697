"""Puts a release together: everything is checked first, written aside, and swapped in whole."""

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoint import dump
from trainer.release.checking import Checked, Say, Wish, check, check_out
from trainer.release.data_card import data_card, sources_csv
from trainer.release.forms import measure, write_about, write_forms
from trainer.release.licences import is_summary
from trainer.release.model_card import Card, Measured, Stored, measured_json, model_card
from trainer.release.records import EVALUATION
from trainer.release.source import ReleaseError, Source
from trainer.release.sums import write_sums

_DAY = 86_400  # seconds


@dataclass(frozen=True, slots=True)
class Released:
    folder: Path
    stored: tuple[Stored, ...]
    measured: Measured | None
    not_measured: str
    summary_licence: bool


def release(wish: Wish, say: Say) -> Released:
    """Write the folder; `say` hears of each step.

    Raises ReleaseError or ModelUnavailable with the remedy; the folder is then as it was.
    """
    check_out(wish)
    say(f"checking {wish.checkpoint}")
    checked = check(wish, say)
    staging = _staging(wish.out)
    try:
        released = _fill(staging, wish, checked, say)
        write_sums(staging)
        _swap(staging, wish)
    except OSError as error:
        raise ReleaseError(
            f"{wish.out} could not be written ({error}): make room or name another folder; "
            "nothing was left behind"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return released


def _staging(out: Path) -> Path:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for left in out.parent.glob(f".{out.name}-release-*"):
            # Of a process that was killed; "-old" may be the only copy of a good release.
            if not left.name.endswith("-old") and time.time() - left.stat().st_mtime > _DAY:
                shutil.rmtree(left, ignore_errors=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{out.name}-release-", dir=out.parent))
        staging.chmod(0o755)
    except OSError as error:
        raise ReleaseError(
            f"{out.parent} cannot be written to ({error}): name another folder with --out"
        ) from error
    return staging


def _fill(staging: Path, wish: Wish, checked: Checked, say: Say) -> Released:
    source = checked.source
    stored = write_forms(staging, wish, checked, say)
    measured = measure(staging, checked, stored, say)
    card = Card(
        source=source,
        licence=wish.licence,
        licence_is_summary=is_summary(wish.licence, wish.licence_text),
        parameters=checked.facts.parameters,
        stored=tuple(stored),
        measured=measured,
        not_measured=checked.not_measured,
        evaluations=checked.evaluations,
        corpus=checked.corpus,
        contact=wish.contact,
        weights_hash=checked.hash,
    )
    texts = {
        "README.md": model_card(card),
        "DATA_CARD.md": data_card(source, checked.corpus, contact=wish.contact),
        "LICENSE": checked.licence_text,
        "NOTICE": _notice(wish, source),
    }
    if checked.corpus:
        texts["SOURCES.csv"] = sources_csv(checked.corpus)
    for name, text in texts.items():
        (staging / name).write_text(text, encoding="utf-8")
    if checked.evaluations:
        dump(staging / EVALUATION, checked.evaluations)
    for path in checked.extras:
        shutil.copyfile(path, staging / path.name)
    write_about(staging, wish, checked, measured=measured_json(measured))
    return Released(
        folder=wish.out,
        stored=tuple(stored),
        measured=measured,
        not_measured="" if measured else checked.not_measured,
        summary_licence=card.licence_is_summary,
    )


def _notice(wish: Wish, source: Source) -> str:
    holder = wish.publisher or "its publisher (who has given no name)"
    return (
        f"{source.name}\nReleased by {holder} under {wish.licence.title}, "
        f"{wish.licence.url}\n\nMade with Footnote. What the model was trained on, and under which "
        "licences, is in DATA_CARD.md.\n"
    )


def _swap(staging: Path, wish: Wish) -> None:
    """Put the finished folder in its place; what is replaced goes last."""
    check_out(wish)  # again: writing took a while
    if not wish.out.exists():
        staging.replace(wish.out)
        return
    old = staging.with_name(staging.name + "-old")
    wish.out.replace(old)
    try:
        staging.replace(wish.out)
    except OSError:
        old.replace(wish.out)
        raise
    shutil.rmtree(old, ignore_errors=True)
