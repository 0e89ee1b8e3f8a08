"""Does once in a process what Textual does anew in each app, for each widget or for each message,
with the same result: this took a fourth of the time of a test."""

import types
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from weakref import WeakKeyDictionary

from rich.console import Console
from rich.segment import Segment
from textual import _callback, message_pump
from textual.app import App
from textual.css import stylesheet as stylesheets
from textual.css.model import RuleSet
from textual.css.styles import RenderStyles
from textual.css.stylesheet import Stylesheet
from textual.css.tokenize import tokenize_values
from textual.css.tokenizer import Token
from textual.dom import DOMNode, NoScreen
from textual.geometry import Region
from textual.message import Message
from textual.message_pump import MessagePump
from textual.reactive import Reactive
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from tui_manager.ui.terminal.style_cache import CachedStylesheet

# Textual looks up each rule in sets several times for each widget whose styles it applies, by a
# method in Python that returns the id. This is the same in C: a tenth of the time of a test.
RuleSet.__hash__ = object.__hash__  # type: ignore[method-assign]


# The attributes of widgets.

_NONE = object()
_get_reactive: Callable[..., Any] = Reactive.__get__


def get_reactive(self: Reactive[Any], node: Any, owner: type) -> Any:
    """Textual asks first whether the node has an id, which calls a method in Python."""
    value = getattr(node, self.internal_name, _NONE)
    if value is _NONE or hasattr(node, self.compute_name):
        return _get_reactive(self, node, owner)
    return value


Reactive.__get__ = get_reactive  # type: ignore[method-assign, assignment]


# The widget above a widget. Textual keeps a weak reference, which a method in Python follows: it is
# asked for most of all. `free_nodes` needs no weak ones.

MessagePump._parent = None  # type: ignore[method-assign, assignment]


def find_screen(self: DOMNode) -> Screen[Any]:
    """As Textual does, which imports the class each time."""
    node: Any = self
    while node is not None and not isinstance(node, Screen):
        node = node._parent
    if node is None:
        raise NoScreen("node has no screen")
    return node


DOMNode.screen = property(find_screen)  # type: ignore[method-assign, assignment]


# What is not sent while a message is handled: mostly nothing.

_prevent = MessagePump.prevent
_PREVENT_NOTHING = nullcontext()


def prevent(self: MessagePump, *kinds: type[Message]) -> AbstractContextManager[None]:
    """As Textual does, without a generator if there is nothing to prevent."""
    return _prevent(self, *kinds) if kinds else _PREVENT_NOTHING


MessagePump.prevent = prevent  # type: ignore[method-assign, assignment]


# What is to be drawn.

_set_dirty = Widget._set_dirty


def set_dirty(self: Widget, *regions: Region) -> None:
    """As Textual does, but of a whole widget the lines are not noted one by one: to count them,
    Textual looks up where the widget is. As no line is kept then, all are drawn anyway."""
    if regions:
        _set_dirty(self, *regions)
        return
    self._styles_cache.clear()
    whole = self.outer_size.region
    self._dirty_regions.clear()
    self._dirty_regions.add(whole)
    self._repaint_regions.clear()
    if whole:
        self._repaint_regions.add(whole)


Widget._set_dirty = set_dirty  # type: ignore[method-assign]


# Styles.


def get_rule(self: RenderStyles, rule_name: str, default: object = None) -> object:
    """As Textual does, which asks four methods for it."""
    own: Any = self._inline_styles._rules
    if rule_name in own:
        return own[rule_name]
    found: Any = self._base_styles._rules
    return found.get(rule_name, default)


RenderStyles.get_rule = get_rule  # type: ignore[method-assign]


# The number of widgets. Textual keeps it in their class, and after each write to a class Python
# looks up the methods of all its subclasses anew. Here it is kept beside the class.

_Widgets: Any = type(Widget)
_last_number = Widget._sort_order


def _set_in_class(widgets: type, name: str, value: Any) -> None:
    global _last_number
    if name == "_sort_order":
        _last_number = value
    else:
        type.__setattr__(widgets, name, value)


_Widgets.__setattr__ = _set_in_class
_Widgets._sort_order = property(lambda _: _last_number)


# The parameters of callbacks.

_count_parameters = _callback._count_parameters
_PARAMETERS: dict[tuple[types.CodeType, bool], int] = {}


def count_parameters(func: Callable[..., Any]) -> int:
    """As Textual does it anew for each callback that is made for one call. Functions of the same
    code have as many parameters."""
    code: object = getattr(func, "__code__", None)
    if not isinstance(code, types.CodeType) or hasattr(func, "__wrapped__"):
        return _count_parameters(func)
    key = (code, isinstance(func, types.MethodType))
    if key not in _PARAMETERS:
        _PARAMETERS[key] = _count_parameters(func)
    return _PARAMETERS[key]


_callback._count_parameters = count_parameters


# The handlers of messages.

_Handlers = Iterator[tuple[type, Callable[[Message], Awaitable[None]]]]
find_handlers_anew = MessagePump._get_dispatch_methods
# By the types of a node and a message: classes with the names of their methods. None: the handlers
# depend on which widget sent the message.
_HANDLERS: dict[tuple[type, str, type], list[tuple[type, str]] | None] = {}


def find_handlers(self: MessagePump, method_name: str, message: Message) -> _Handlers:
    """The handlers that Textual finds, which depend on the types of the node and the message."""
    key = (type(self), method_name, type(message))
    if key not in _HANDLERS:
        _HANDLERS[key] = _handlers_of(*key)
    known = _HANDLERS[key]
    if known is None:
        yield from find_handlers_anew(self, method_name, message)
        return
    before = None
    for owner, name in known:
        if owner is not before and message._no_default_action:
            break
        before = owner
        yield owner, vars(owner)[name].__get__(self, owner)


def _handlers_of(node: type, method_name: str, message: type) -> list[tuple[type, str]] | None:
    found: list[tuple[type, str]] = []
    functions: set[object] = set()
    for owner in node.__mro__:
        decorated: dict[type, list[tuple[Any, object]]]
        decorated = vars(owner).get("_decorated_handlers") or {}
        for kind in message.__mro__:
            for function, selectors in decorated.get(kind, ()):
                own_name: str = function.__name__
                if selectors or vars(owner).get(own_name) is not function:
                    return None
                if function not in functions:
                    functions.add(function)
                    found.append((owner, own_name))
        for name in (f"_{method_name}", method_name):
            if named := vars(owner).get(name):
                if not getattr(named, "_textual_on", None):
                    found.append((owner, name))
                break
    return found


# Lines of cells.


def _init_strip(self: Any, segments: Iterable[Segment], cell_length: int | None = None) -> None:
    """Textual makes seven objects of its own for what is derived from a line, of which most stay
    empty: a sixth of all that the garbage collector looks at. These have no limit, as no test lasts
    long."""
    self._segments = list(segments)
    self._cell_length = cell_length
    self._divide_cache = {}
    self._crop_cache = {}
    self._style_cache = {}
    self._filter_cache = {}
    self._line_length_cache = {}
    self._crop_extend_cache = {}
    self._offsets_cache = {}
    self._render_cache = self._link_ids = self._cell_count = None


Strip.__init__ = _init_strip  # type: ignore[method-assign]


# Pictures.

_export_svg = Console.export_svg


def export_svg(self: Console, *, title: str) -> str:
    """The id of the picture, which Rich makes of all that is in it, is not compared: to make it
    took half of the calls for a picture."""
    return _export_svg(self, title=title, unique_id="terminal-0")


Console.export_svg = export_svg  # type: ignore[assignment]


class _NoLog:
    """What Textual's log does if no console of its own is connected."""

    def __getattr__(self, name: str) -> "_NoLog":
        return self

    def verbosity(self, verbose: bool) -> "_NoLog":
        return self

    def __call__(self, *_: object, **__: object) -> None:
        """Writes nothing."""


MessagePump._get_dispatch_methods = find_handlers  # type: ignore[method-assign]
_NO_LOG = _NoLog()
vars(_NO_LOG)["event"] = _NO_LOG  # the part that is used for each message
vars(message_pump)["log"] = _NO_LOG


# Widgets that are not needed any more. They and what they hold refer to each other, and to have the
# garbage collector find that took a tenth of the time of a test.

_init_node = DOMNode.__init__
_NODES: list[DOMNode] = []


def init_node(self: DOMNode, **keywords: Any) -> None:
    """As Textual does, and keeps the node. An app may be in use after its test, by a signal."""
    if not isinstance(self, App):
        _NODES.append(self)
    _init_node(self, **keywords)


DOMNode.__init__ = init_node  # type: ignore[method-assign]


def free_nodes() -> None:
    """Takes the attributes from all nodes, so that these are freed at once."""
    for node in _NODES:
        vars(node).clear()
    _NODES.clear()


# Style sheets.

_PARSED: dict[object, list[RuleSet]] = {}
_VARIABLES: dict[tuple[tuple[str, str], ...], int] = {}  # numbers of sets of them
_LAST: WeakKeyDictionary[Stylesheet, tuple[dict[str, str], int]] = WeakKeyDictionary()
_LEARNED: dict[tuple[RuleSet, ...], tuple[Any, set[str], set[str]]] = {}
parse_rules_anew = Stylesheet._parse_rules
_learn = CachedStylesheet._learn


def parse_once(stylesheet: Stylesheet, css: str, **keywords: Any) -> list[RuleSet]:
    """What Textual parses anew for each app and each change of its theme."""
    last = _LAST.get(stylesheet)
    if last is None or last[0] is not stylesheet._variables:
        items = tuple(stylesheet._variables.items())
        last = (stylesheet._variables, _VARIABLES.setdefault(items, len(_VARIABLES)))
        _LAST[stylesheet] = last
    key = (css, last[1], *keywords.items())
    if key not in _PARSED:
        _PARSED[key] = parse_rules_anew(stylesheet, css, **keywords)
    return _PARSED[key]


_TOKENS: dict[tuple[tuple[str, str], ...], dict[str, list[Token]]] = {}


def tokenize_once(values: dict[str, str]) -> dict[str, list[Token]]:
    """The variables of a theme, which each app that shows markup would read anew."""
    key = tuple(values.items())
    if key not in _TOKENS:
        _TOKENS[key] = tokenize_values(values)
    return _TOKENS[key]


vars(stylesheets)["tokenize_values"] = tokenize_once


def learn_once(stylesheet: CachedStylesheet, rules: list[RuleSet]) -> None:
    """What follows from the rules. They are the same ones in each app, as they are parsed once."""
    key = tuple(rules)
    if key not in _LEARNED:
        stylesheet._kinds = {}
        _learn(stylesheet, rules)
        _LEARNED[key] = (stylesheet._kinds, stylesheet._ids, stylesheet._class_names)
    stylesheet._known = rules
    stylesheet._kinds, stylesheet._ids, stylesheet._class_names = _LEARNED[key]
