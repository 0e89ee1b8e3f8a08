"""Which label tells the hosts on which a task failed from the others."""

from collections import Counter
from collections.abc import Collection, Mapping

from hypothesis import given
from hypothesis import strategies as st

from tui_manager.domain.tasks.common_label import (
    FEW,
    LEAST_HOSTS,
    CommonLabel,
    TaskLabels,
    common_labels,
)

WEB_EU, WEB_US, DB_US = (
    {"role": "web", "zone": "eu"},
    {"role": "web", "zone": "us"},
    {"role": "db", "zone": "us"},
)
LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"), max_size=3)


def common_label(
    group: Collection[Mapping[str, str]], task: Collection[Mapping[str, str]]
) -> CommonLabel | None:
    return TaskLabels(task).common_label(common_labels(group), len(group))


def test_the_label_that_no_other_host_has() -> None:
    task = [WEB_EU] * 12 + [WEB_US] * 60 + [DB_US] * 20
    assert common_label([WEB_EU] * 12, task) == CommonLabel("zone=eu", 0, 80)
    assert common_label([WEB_US] * 60 + [DB_US] * 20, task) == CommonLabel("zone=us", 0, 12)


def test_few_other_hosts_may_have_it() -> None:
    task = [WEB_EU] * 12 + [WEB_US] * 80
    assert common_label([WEB_EU] * 10, task) == CommonLabel("zone=eu", 2, 82)
    assert common_label([WEB_EU] * 2, [WEB_EU] * 12 + [WEB_US] * 8) is None


def test_no_label_tells_hosts_apart_that_differ_in_nothing() -> None:
    assert common_label([], [WEB_EU] * 2) is None
    assert common_label([WEB_EU], [WEB_EU] + [WEB_US] * 9) is None  # a single host
    assert common_label([WEB_EU] * 4, [WEB_EU] * 4) is None  # all hosts
    assert common_label([{}] * 4, [{}] * 4 + [WEB_US] * 9) is None
    eu_and_us = [WEB_EU] * 2 + [DB_US] * 2
    assert common_label(eu_and_us, [*eu_and_us, *[WEB_US] * 9]) is None


def test_no_host_is_looked_at_behind_those_that_have_nothing_in_common() -> None:
    hosts = iter([WEB_EU, DB_US, WEB_EU])
    assert common_labels(hosts) == set()
    assert [*hosts] == [WEB_EU]


@given(st.lists(st.tuples(LABELS, st.booleans()), max_size=12))
def test_what_is_said_is_true(hosts: list[tuple[dict[str, str], bool]]) -> None:
    failed = [labels for labels, has_failed in hosts if has_failed]
    others = [labels for labels, has_failed in hosts if not has_failed]
    found = common_label(failed, [*failed, *others])
    has: Counter[str] = Counter(f"{k}={v}" for labels in others for k, v in labels.items())
    shared = {
        f"{k}={v}" for labels in failed for k, v in labels.items()
        if all(other.get(k) == v for other in failed)
    }  # fmt: skip
    if len(failed) < LEAST_HOSTS or not others:
        assert found is None
    elif found is None:
        assert all(has[label] * FEW > len(others) for label in shared)
    else:
        assert found.text in shared
        assert (found.elsewhere, found.others) == (has[found.text], len(others))
        assert found.elsewhere == min(has[label] for label in shared)
