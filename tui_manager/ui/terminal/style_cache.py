"""A stylesheet that remembers which styles it found. It uses private parts of Textual.

Textual compares each widget with each rule that might fit, whenever a widget is made, a class or
the focus changes, or a screen is shown. A form has hundreds of widgets, most of them alike, and a
widget that is styled again mostly gets the styles that it has.
"""

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from textual.css.model import RuleSet, SelectorType
from textual.css.styles import RulesMap
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode

LIMIT = 20_000  # places; an app that has run for long has about 2,000
_SAME = {"blur": "focus", "enabled": "disabled", "light": "dark"}  # one tells the other
_OF_APP = frozenset({"ansi", "dark", "inline", "nocolor"})
_ORDER = frozenset({"first-of-type", "last-of-type", "first-child", "last-child", "empty"})


class _Kind(NamedTuple):
    """What is the same for all nodes with the same type, id and classes.

    Attributes:
        rules: number of the rules that may fit the node or a part of it, a component class.
        of_app: pseudo classes in these rules that all nodes of an app have, or none has.
        of_node: those that differ from node to node.
        flags: what Textual keeps at a node, by the attribute's name.
    """

    rules: int
    of_app: tuple[str, ...]
    of_node: tuple[str, ...]
    flags: tuple[tuple[str, bool], ...]


class _Found:
    """The styles of a place.

    Attributes:
        rules: what fits.
        kept: what a node that had no styles keeps of them, without its layout, which is an object
            of its own; None until a node was seen.
    """

    __slots__ = ("kept", "rules")

    def __init__(self, rules: RulesMap) -> None:
        self.rules = rules
        self.kept: RulesMap | None = None

    def is_kept(self, own: RulesMap) -> bool:
        """Whether a node with the rules `own` has these styles."""
        if self.kept is None or ("layout" in own) != ("layout" in self.rules):
            return False
        if "layout" in own and own["layout"].name != self.rules["layout"].name:
            return False
        return len(own) == len(self.kept) + ("layout" in own) and self.kept.items() <= own.items()


class StyleCache:
    """What was found, by place. Stylesheets that share their parsed rules may share it."""

    def __init__(self) -> None:
        self.found: dict[object, _Found] = {}
        self.numbers: dict[tuple[tuple[RuleSet, ...], ...], int] = {}  # of lists of rules


class CachedStylesheet(Stylesheet):
    """A stylesheet that looks up styles by a node's place: the types, ids, classes and pseudo
    classes of the node and its ancestors, as far as any rule that may fit names them."""

    def __init__(self, variables: dict[str, str], cache: StyleCache) -> None:
        super().__init__(variables=variables)
        self._cache = cache
        self._has_other_variables = False  # than when it was parsed last
        self._known: list[RuleSet] | None = None  # the rules that the next three are about
        self._kinds: dict[object, _Kind] = {}
        self._ids: set[str] = set()
        self._class_names: set[str] = set()
        self._applied: WeakKeyDictionary[DOMNode, _Found] = WeakKeyDictionary()
        self._sought: dict[int, RulesMap | None] = {}  # by the id of a node that is compared

    def set_variables(self, variables: dict[str, str]) -> None:
        """Sets the variables of a theme. What was parsed stays if they are the same ones."""
        if variables != self._variables:
            super().set_variables(variables)
            self._has_other_variables = True

    def reparse(self) -> None:
        """Parses all sources again if their variables have changed. Textual asks for this also
        when a screen is shown first, and parses each source twice then."""
        if self._has_other_variables:
            self.parse()
            self._has_other_variables = False

    def apply(self, node: DOMNode, *, animate: bool = False, cache: object = None) -> None:
        """Gives a node its styles. Textual's own cache, for the nodes of one call, is not used."""
        if self.rules is not self._known:
            self._learn(self.rules)
        path = node.css_path_nodes
        selectors = [self._selectors_of(one) for one in path]
        kind = self._kinds.get(selectors[-1]) or self._add_kind(node, selectors[-1])
        place = (
            kind.rules,
            *selectors,
            *_pseudo_classes(path[0], kind.of_app),
            *(_pseudo_classes(one, kind.of_node) for one in path),
        )
        if (found := self._cache.found.get(place)) is None:
            self._find(node, place, animate)
            return
        for name, value in kind.flags:
            setattr(node, name, value)
        self._give(node, found, animate)
        if self._applied.get(node) is not found or not node._component_styles:
            self._process_component_classes(node)
        self._applied[node] = found

    def replace_rules(  # type: ignore[override]  # a class method of Textual
        self, node: DOMNode, rules: RulesMap, animate: bool = False
    ) -> None:
        """Gives a node these styles."""
        if id(node) in self._sought:
            self._sought[id(node)] = rules
        super().replace_rules(node, rules, animate and "transitions" in rules)

    def _learn(self, rules: list[RuleSet]) -> None:
        """Notes which ids and classes the rules name."""
        self._known = rules
        self._kinds.clear()
        self._ids, self._class_names = set(), {"-textual-system"}  # which `*` does not fit
        for rule in rules:
            for selectors in rule.selector_set:
                for one in selectors.selectors:
                    if one.type is SelectorType.ID:
                        self._ids.add(one.name)
                    elif one.type is SelectorType.CLASS:
                        self._class_names.add(one.name)

    def _selectors_of(self, node: DOMNode) -> object:
        return (
            type(node),
            node._id if node._id in self._ids else None,
            frozenset(node._classes & self._class_names),
        )

    def _add_kind(self, node: DOMNode, selectors: object) -> _Kind:
        own = self._fitting(node)
        of_parts = [
            self._fitting(DOMNode(classes=part)) for part in sorted(node._get_component_classes())
        ]
        pseudo = {name for rule in own for name in rule.pseudo_classes}
        named = pseudo.union(*(rule.pseudo_classes for rules in of_parts for rule in rules))
        named = {_SAME.get(name, name) for name in named}
        numbers = self._cache.numbers
        kind = self._kinds[selectors] = _Kind(
            numbers.setdefault((own, *of_parts), len(numbers)),
            tuple(sorted(named & _OF_APP)),
            tuple(sorted(named - _OF_APP)),
            (
                ("_has_hover_style", "hover" in pseudo),
                ("_has_focus_within", "focus-within" in pseudo),
                ("_has_order_style", not pseudo.isdisjoint(_ORDER)),
                ("_has_odd_or_even", not pseudo.isdisjoint({"odd", "even"})),
            ),
        )
        return kind

    def _fitting(self, node: DOMNode) -> tuple[RuleSet, ...]:
        """The rules that may fit a node by its own selectors."""
        names = self.rules_map.keys() & node._selector_names
        fitting = {rule for name in names for rule in self.rules_map[name]}
        return tuple(rule for rule in self.rules if rule in fitting)

    def _find(self, node: DOMNode, place: object, animate: bool) -> None:
        """Has Textual compare the node with the rules, and remembers what it found."""
        self._sought[id(node)] = None
        try:
            super().apply(node, animate=animate)
        finally:
            rules = self._sought.pop(id(node))
        if rules is None:  # no rule fits
            return
        if len(self._cache.found) >= LIMIT:
            self._cache.found.clear()
        self._applied[node] = self._cache.found[place] = _Found(rules)

    def _give(self, node: DOMNode, found: _Found, animate: bool) -> None:
        base, new = node.styles.base, found.rules
        if found.is_kept(base._rules):
            if not animate:
                base.merge_rules({})  # sizes that were found with these styles are found again
                node.notify_style_update()
        elif animate and "transitions" in new:
            self.replace_rules(node, new, animate)
        elif found.kept is None:
            self.replace_rules(node, new)
            found.kept = base.get_rules()
            found.kept.pop("layout", None)
        elif base._rules:
            old = base.get_rules()
            for name in old.keys() | new.keys():
                if name not in old or old.get(name) != found.kept.get(name):
                    setattr(base, name, new.get(name))
            node.notify_style_update()
        else:
            base.merge_rules(found.kept)
            base.layout = new.get("layout")
            base.refresh(layout=True)  # if the node is mounted
            node.notify_style_update()


def _pseudo_classes(node: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    """Which of them a node has. What is disabled through an ancestor is told by the ancestor's."""
    checks = node._PSEUDO_CLASSES
    return tuple(
        name
        for name in names
        if name in checks and (node.disabled if name == "disabled" else checks[name](node))
    )
