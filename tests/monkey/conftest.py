"""The apps of the monkey share their styles, as those of tests/ui do."""

from tests.ui.conftest import styles_parsed_once

__all__ = ["styles_parsed_once"]
