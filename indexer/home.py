"""Where Footnote keeps its data: the user data folder, or FOOTNOTE_HOME."""

import os
from pathlib import Path

import platformdirs


def data_home() -> Path:
    """The folder of everything that is downloaded or built; it need not exist yet."""
    override = os.environ.get("FOOTNOTE_HOME")
    if override:
        return Path(override).expanduser().resolve()
    return Path(platformdirs.user_data_dir("footnote", appauthor=False))


def corpus_folder() -> Path:
    return data_home() / "corpus"


def held_out_folder() -> Path:
    """Shards of the evaluation packages, never part of the corpus."""
    return data_home() / "held-out"


def index_folder() -> Path:
    return data_home() / "index"


def own_indexes_folder() -> Path:
    """Indexes of one's own code, each in a folder of its name."""
    return data_home() / "indexes"


def downloads_folder() -> Path:
    return data_home() / "downloads"
