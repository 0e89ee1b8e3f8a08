"""The private part of hypothesis that a short run of the tests replaces. If an update of hypothesis
has another one, look for what `pytest_collection_modifyitems` of its plugin calls, or drop it."""

from hypothesis.internal.conjecture import providers

from tests.support import run_length


def test_a_short_run_looks_for_no_constants_in_our_sources() -> None:
    provider = providers.HypothesisProvider(None)
    assert len(provider._local_constants) == 0 or run_length.ALL
