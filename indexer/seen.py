"""What can be seen of files that are somebody else's: where nobody may look there is nothing."""

from collections.abc import Callable


def seen(test: Callable[[], bool]) -> bool:
    """What a test of a path says, such as `path.is_file`; False where it may not be answered."""
    try:
        return test()
    except OSError:
        return False
