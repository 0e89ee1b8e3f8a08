"""Dataclasses whose methods are compiled when they are first called: they work like those of the
standard library."""

import copy
import dataclasses
import pickle
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError, field
from typing import Any, Generic, TypeVar

import pytest
from tui_manager_protos import lazy_dataclass
from tui_manager_protos.lazy_dataclass import dataclass

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Place:
    """A place."""

    name: str
    size: int = 3
    tags: Mapping[str, str] = field(default_factory=dict, repr=False)
    note: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Fields that are named."""

    one: int
    two: int = 2


@dataclass(frozen=True, slots=True)
class Checked(Generic[_Row]):
    """Checks its values."""

    rows: list[_Row]

    def __post_init__(self) -> None:
        if not self.rows:
            raise ValueError("no rows")


@dataclass(frozen=True, slots=True)
class Larger(Place):
    """Has the fields of another one too."""

    more: int = 4


@dataclass(frozen=True, slots=True)
class OwnWords:
    """Has methods of its own."""

    value: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OwnWords)

    def __hash__(self) -> int:
        return 1

    def __repr__(self) -> str:
        return "own words"


@dataclass(frozen=True, slots=True)
class Empty:
    """Has no fields."""


@dataclass(slots=True)
class Counter:
    """Can be changed."""

    count: int = 0
    seen: list[int] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Identity:
    """Is equal to itself alone."""

    value: int


@dataclasses.dataclass(frozen=True, slots=True)
class OfStandardLibrary:
    """The same fields as Place."""

    name: str
    size: int = 3
    tags: Mapping[str, str] = field(default_factory=dict, repr=False)
    note: str = field(default="", compare=False)


def test_arguments_and_defaults_are_as_in_the_standard_library() -> None:
    given: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        (("here",), {}),
        (("here", 4, {"a": "b"}, "note"), {}),
        ((), {"tags": {"a": "b"}, "name": "here"}),
    ]
    for arguments, named in given:
        ours, theirs = Place(*arguments, **named), OfStandardLibrary(*arguments, **named)
        assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
        assert repr(ours) == repr(theirs).replace("OfStandardLibrary", "Place")
    assert Place("one").tags is not Place("two").tags
    assert Named(one=1) == Named(one=1, two=2)
    assert Larger("here", more=5).size == 3
    assert Empty() == Empty()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Place(),  # type: ignore[call-arg]
        lambda: Place("here", colour=1),  # type: ignore[call-arg]
        lambda: Named(1),  # type: ignore[call-arg]
    ],
)
def test_wrong_arguments_are_an_error(make: Callable[[], object]) -> None:
    for _ in range(2):
        with pytest.raises(TypeError, match=r"(Place|Named).__init__\(\)"):
            make()


def test_objects_are_equal_by_their_compared_fields_within_a_class() -> None:
    assert Place("here", note="one") == Place("here", note="two")
    others: list[object] = [OfStandardLibrary("here"), Larger("here"), Place("there")]
    assert Place("here") not in others
    assert hash(Named(one=1)) == hash(Named(one=1)) == hash((1, 2))
    assert {Named(one=1), Named(one=1), Named(one=2)} == {Named(one=2), Named(one=1)}
    with pytest.raises(TypeError, match="unhashable"):
        hash(Place("here"))  # its tags have no hash


def test_objects_cannot_be_changed() -> None:
    place: Any = Place("here")
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'size'"):
        place.size = 4
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'other'"):
        place.other = 4
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'size'"):
        del place.size
    assert not hasattr(place, "__dict__")


def test_the_functions_of_the_standard_library_know_the_fields() -> None:
    place = dataclasses.replace(Place("here"), size=5)
    assert place == Place("here", 5)
    assert [one.name for one in dataclasses.fields(Place)] == ["name", "size", "tags", "note"]
    assert Place.__match_args__ == ("name", "size", "tags", "note")
    assert copy.copy(place) == place == copy.deepcopy(place)
    assert pickle.loads(pickle.dumps(place)) == place


def test_post_init_runs_and_generic_classes_work() -> None:
    assert Checked[int]([1]) == Checked([1])
    with pytest.raises(ValueError, match="no rows"):
        Checked([])


def test_methods_of_the_class_stay() -> None:
    assert OwnWords(1) == OwnWords(2)
    assert hash(OwnWords(1)) == 1
    assert repr(OwnWords(1)) == "own words"


def test_nothing_is_compiled_before_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    compile_method = lazy_dataclass._compile

    def note(cls: type, name: str, code: Any) -> Any:
        compiled.append(f"{cls.__qualname__}.{name}")
        return compile_method(cls, name, code)

    monkeypatch.setattr(lazy_dataclass, "_compile", note)

    @dataclass(frozen=True, slots=True)
    class Fresh:
        """Made in this test."""

        value: int

    assert compiled == []
    first, second = Fresh(1), Fresh(1)
    assert [name.rpartition(".")[2] for name in compiled] == ["__init__"]
    assert first == second
    assert len({first, second}) == 1
    assert [name.rpartition(".")[2] for name in compiled] == ["__init__", "__eq__", "__hash__"]


def test_what_is_not_frozen_can_be_changed_and_has_no_hash() -> None:
    counter = Counter()
    counter.count += 1
    counter.seen.append(2)
    assert counter == Counter(1, [2])
    assert repr(counter) == "Counter(count=1, seen=[2])"
    assert copy.deepcopy(counter) == counter
    assert not hasattr(counter, "__dict__")
    with pytest.raises(TypeError, match="unhashable"):
        hash(counter)


def test_without_eq_each_object_is_itself() -> None:
    one = Identity(1)
    assert one != Identity(1)
    assert {one, Identity(1)} - {one}


def test_other_kinds_are_not_made() -> None:
    with pytest.raises(TypeError, match="with slots"):
        dataclass(frozen=True, slots=False)
    with pytest.raises(TypeError, match="with slots"):
        dataclass(frozen=True, slots=True, eq=False)
