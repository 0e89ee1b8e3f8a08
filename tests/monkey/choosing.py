"""What a monkey does next: from a seed, the same each time.

Random keys alone stay on the surface. Most of what is chosen is therefore a short scene, as an
operator would begin it, and chance decides what comes between.
"""

import string
from collections.abc import Callable, Sequence
from random import Random

from tests.monkey.fake_fleet import TIMETABLE
from tests.monkey.inputs import (
    SIZES,
    Change,
    Check,
    Click,
    Drag,
    Input,
    Key,
    Move,
    Paste,
    Raw,
    Resize,
    Text,
    Turns,
    Wait,
    Wheel,
)
from tui_manager.ui.action_table import ACTIONS

ACTION_KEYS = sorted({key for action in ACTIONS for key in action.keys})
MOVES = (
    "up", "down", "pageup", "pagedown", "home", "end", "j", "k", "g", "G", "ctrl+d", "ctrl+u",
)  # fmt: skip
OTHER_KEYS = (
    "left", "right", "backspace", "delete", "insert", "shift+tab", "shift+up", "shift+down",
    "ctrl+left", "ctrl+right", "ctrl+home", "ctrl+end", "f1", "f2", "f5", "y", "n", "enter",
    "escape", "escape", "tab", "tab",
)  # fmt: skip
CONTROLS = tuple(f"ctrl+{letter}" for letter in "abcdefghklnoprtuvwxyz")
WORDS = (
    "web", "db1", "role=db", "env=prod", "@all", "web[01-05]", "role=web", "1", "0", "[", "[/b]",
    "faulty", "pending", "wait 6h", "5m", "备份", "🚀", "é", "zzz", "status=failed !1", "/we",
    "/w.*1/", '"two words', "@offline", "@nobody", "by=ana since=1h", "exit=3", "hots=1",
    "role=web & env=prod",
)  # fmt: skip
PASTES = (
    "role=db", "web01", "echo hello", "x" * 3000, "one\ntwo\nthree\n", "\x1b[31mred\x1b[0m",
    "[b]bold[/b] [@click=app.quit]x[/]", "\\[", "备份🚀👩‍👩‍👧‍👦\u202e\u200b\u0301", "\t\r\n", "",
    "\x07\x00\x9b", "'\"`$(", "%s{}%d", "-", "--", "\ud7ff\ufffd",
)  # fmt: skip
RAWS = (
    "\x1b[I", "\x1b[O", "\x1b[999;999R", "\x1b[<0;999;999M", "\x1b[<0;1;1m", "\x1b[1;", "\x1b\x1b",
    "\x1b[?2026;2$y", "\x1b[24~", "\x1bx", "\x7f\x7f\x7f", "\x00", "\x1b[<35;1;1M",
)  # fmt: skip
CHANGES = (
    "create_task", "start_task", "print", "print", "print", "end_run", "end_run", "end_run",
    "cancel_task", "host_goes", "host_comes", "host_asks", "host_admitted", "host_turned_away",
    "relabel", "vitals", "attention", "audit", *TIMETABLE, "due", "due",
)  # fmt: skip
TROUBLES = ("fail", "hold", "hold", "release", "cut_off")
BETWEEN_CHECKS = 12  # choices


class Chooser:
    """Chooses one scene after the other.

    Args:
        fleet: whether changes of the fleet are chosen too.
        banned: names of keys that it does not press.
    """

    def __init__(self, seed: int, *, fleet: bool = True, banned: Sequence[str] = ()) -> None:
        self._random = Random(seed)
        self._fleet = fleet
        self._banned = banned

    def inputs(self, number: int) -> list[Input]:
        """So many inputs, with a check after every few choices and at the end."""
        made: list[Input] = []
        while len(made) < number:
            for _ in range(BETWEEN_CHECKS):
                made += self.choose()
            made.append(Check())
            if self._fleet:
                made += self._left_alone()
        return made

    def _left_alone(self) -> list[Input]:
        """What leaves every cursor on its item, though rows move."""
        random = self._random
        acts = _keys(*random.choice(((), (), ("a", "y"), ("x", "y"))))
        changes = [_change(random) for _ in range(random.randrange(4))]
        return [*_spread(random, [*acts, *changes]), Check()]

    def choose(self) -> list[Input]:
        """The inputs of one choice."""
        random = self._random
        scenes, weights = zip(*_SCENES, strict=True)
        inputs = random.choices(scenes, weights)[0](random)
        if not self._fleet:
            inputs = [item for item in inputs if not isinstance(item, Change)]
        elif random.random() < 0.5:
            inputs.insert(random.randrange(len(inputs) + 1), _change(random))
        if random.random() < 0.5:
            inputs.append(Wait(random.choice((0.02, 0.05, 0.2, 0.6))))
        return [item for item in inputs if not self._is_banned(item)]

    def _is_banned(self, item: Input) -> bool:
        return isinstance(item, Key) and item.name in self._banned


def _change(random: Random) -> Input:
    kinds = TROUBLES if random.random() < 0.25 else CHANGES
    return Change(random.choice(kinds), random.randrange(1 << 30))


def _task_change(random: Random) -> Input:
    return Change(random.choice(("print", "end_run", "cancel_task")), random.randrange(1 << 30))


def _keys(*names: str) -> list[Input]:
    return [Key(name) for name in names]


def _spread(random: Random, inputs: list[Input]) -> list[Input]:
    """Between two inputs the program has the time to answer, a little of it, or none."""
    made: list[Input] = []
    for item in inputs:
        made.append(item)
        if random.random() < 0.4:
            made.append(Turns(random.choice((1, 3, 10, 40))))
        elif random.random() < 0.5:
            made.append(Wait(0.02))
    return made


def _word(random: Random) -> list[Input]:
    text = random.choice(WORDS)
    way = random.random()
    if way < 0.4:
        return [Text(text)]
    if way < 0.7:
        return [Paste(random.choice(PASTES))]
    return [Key(letter) for letter in text]


def _action(random: Random) -> list[Input]:
    return _keys(random.choice(ACTION_KEYS))


def _moves(random: Random) -> list[Input]:
    key = random.choice(MOVES)
    return _keys(*(key for _ in range(random.randint(1, 6))))


def _other(random: Random) -> list[Input]:
    return _keys(random.choice(OTHER_KEYS))


def _noise(random: Random) -> list[Input]:
    letters = random.choices(string.ascii_letters + string.digits + " /:=?[]<>#", k=4)
    return [Text("".join(letters))] if random.random() < 0.5 else _keys(random.choice(CONTROLS))


def _paste(random: Random) -> list[Input]:
    return [Paste(random.choice(PASTES))]


def _raw(random: Random) -> list[Input]:
    return [Raw(random.choice(RAWS))]


def _mouse(random: Random) -> list[Input]:
    x, y = random.random(), random.random()
    match random.randrange(6):
        case 0 | 1:
            return [Click(x, y, random.choice((1, 1, 2, 2, 3)), random.choice((0, 0, 0, 1, 2)))]
        case 2:
            return [Wheel(x, y, random.choice((-20, -3, -1, 1, 3, 20)))]
        case 3:
            return [Drag(x, y, random.random(), random.random())]
        case 4:
            edge = random.choice((0.0, 0.4, 0.999))
            return [Drag(0.999, y, edge, random.random())]
        case _:
            return [Move(x, y)]


def _resize(random: Random) -> list[Input]:
    size = random.choice((*SIZES, (random.randint(20, 220), random.randint(4, 60))))
    return [Resize(*size)]


def _filter(random: Random) -> list[Input]:
    ends = random.choice((["enter"], ["escape"], [], ["enter", "enter"], ["enter", "x"]))
    return _spread(random, [Key("slash"), *_word(random), *_keys(*ends)])


def _admission(random: Random) -> list[Input]:
    place = random.choice(("1", "2"))
    act = random.choice(("a", "x"))
    answer = random.choice(("y", "y", "n", "escape", "enter"))
    more = random.choice(([], ["x", "y"], ["down", "x", "n"]))
    marks = ["space"] * random.choice((0, 0, 2))
    return _spread(random, _keys(place, *marks, act, answer, *more))


def _new_task(random: Random) -> list[Input]:
    """The form, with completion, earlier commands, folds and the plan."""
    inputs: list[Input] = [Key("n"), Paste(random.choice(WORDS))]
    inputs += _keys(*random.choices(("down", "up", "right"), k=random.choice((0, 0, 2))), "tab")
    inputs += _word(random)
    acts = (["up"], ["up", "down"], ["ctrl+r"], ["ctrl+e"], ["f4"], ["f4", "escape"])
    for _ in range(random.choice((0, 1, 3))):
        inputs += _keys(*random.choice(acts))
    for _ in range(random.choice((0, 0, 4))):
        tabs = ["tab"] * random.randint(1, 4)
        inputs += [*_keys(*tabs, random.choice(("enter", "space"))), *_word(random)]
    end = random.choice((["f5"], ["escape"], ["escape", "y"], ["escape", "n"], ["tab"]))
    return _spread(random, [*inputs, *_keys(*end)])


def _tasks(random: Random) -> list[Input]:
    place = random.choice(("1", "3"))
    keys = random.choice((["c", "y"], ["s"], ["space", "space", "c", "y"], ["s", "c", "n"]))
    return _spread(random, _keys(place, *keys))


def _again(random: Random) -> list[Input]:
    """Tasks that run again, are copied and edited, or canceled on marked hosts."""
    place = random.choice((["1"], ["3"], ["3", "enter"], ["3", "enter", "space", "space"]))
    inputs = _keys(*place, random.choice(("r", "e", "e", "c")))
    for _ in range(random.randrange(4)):
        inputs += random.choice((_word, _moves, _ticks))(random)
    end = random.choice((["enter"], ["f5"], ["f5", "f5"], ["y"], ["escape", "y"], ["ctrl+s"]))
    return _spread(random, [*inputs, *_keys(*end)])


def _ticks(random: Random) -> list[Input]:
    return _keys(random.choice(("f", "u", "k", "c", "a", "m", "space", "tab", "ctrl+t", "f4")))


def _open(random: Random) -> list[Input]:
    keys = random.choices((*MOVES, "tab", "o", "equals_sign", "d", "w", "f"), k=4)
    leave = ["escape"] if random.random() < 0.6 else []
    place = random.choice(("1", "3", "4", "2"))
    return _spread(random, _keys(place, "enter", *keys, *leave))


def _host(random: Random) -> list[Input]:
    """The screen of a host, which changes or goes meanwhile."""
    inputs = _keys(*random.choice((["2", random.choice(MOVES)], ["1", "tab"])), "enter")
    acts = (["tab"], ["tab"], ["c", "y"], ["r", "f5"], ["x", "y"], ["D", "y"], ["m", "escape"],
            ["n", "escape"], ["R", "b", "f5"], ["enter", "escape"], ["a", "y"])  # fmt: skip
    for _ in range(random.randint(1, 4)):
        inputs += _keys(random.choice(MOVES), *random.choice(acts))
    inputs.insert(random.randrange(2, len(inputs) + 1), _change(random))
    return _spread(random, [*inputs, *_keys(*random.choice((["escape"], [])))])


def _read_output(random: Random) -> list[Input]:
    """Up and back to the end, each key at rest or in the middle of the one before."""
    place = random.choice((["1"], ["3", "enter"], []))
    tabs = ["tab"] * random.choice((1, 1, 2))
    keys = random.choice((["pageup", "pagedown"], ["home", "end"], ["pageup", "end"], ["up"]))
    inputs = _keys(*place, *tabs)
    for key in keys * 2:
        inputs += [Key(key), Wait(random.choice((0.02, 0.1, 0.3, 0.6)))]
    return inputs


def _open_and_close(random: Random) -> list[Input]:
    """Tasks that change while they are opened, and are left at once."""
    inputs = _keys("3", random.choice(MOVES))
    for _ in range(3):
        for key in ("enter", "escape"):
            inputs += [Key(key), _task_change(random), Turns(random.randrange(12))]
    return inputs


def _palette(random: Random) -> list[Input]:
    end = random.choice(("enter", "escape", "down"))
    return _spread(random, [Key("colon"), *_word(random), Key(end)])


def _help(random: Random) -> list[Input]:
    """The help, searched and scrolled, and the notices."""
    first = random.choice(("question_mark", "i"))
    more = random.choice((["slash"], ["j", "ctrl+d"], ["G", "g"], ["end", "slash"]))
    ends = random.choice((["escape"], ["escape", "escape"], ["q"], [first], []))
    return _spread(random, [*_keys(first, *more), *_word(random), *_keys(*ends)])


def _token(random: Random) -> list[Input]:
    return _spread(random, _keys("J", random.choice(("f5", "escape", "tab")), "c", "escape"))


def _timetable_change(random: Random) -> Input:
    return Change(random.choice(TIMETABLE), random.randrange(1 << 30))


def _schedules(random: Random) -> list[Input]:
    """Templates and schedules: run, pause, delete, and their histories."""
    tabs = ["tab"] * random.randrange(4)
    acts = (["r", "y"], ["p"], ["p", "p"], ["D", "y"], ["D", "n"], ["enter", "end"], ["space"])
    inputs = _keys("5", *tabs, random.choice(MOVES), *random.choice(acts))
    inputs.insert(random.randrange(len(inputs) + 1), _timetable_change(random))
    return _spread(random, inputs)


def _schedule_forms(random: Random) -> list[Input]:
    """The forms of a template and of a schedule, typed into, sent or left."""
    tabs = ["tab"] * random.choice((0, 2))
    inputs = _keys("5", *tabs, random.choice(MOVES), random.choice(("a", "e", "r", "enter")))
    for _ in range(random.randint(1, 5)):
        inputs += random.choice((_word, _cron))(random)
        inputs += _keys(random.choice(("tab", "tab", "shift+tab", "enter", "down", "space")))
    inputs.insert(random.randrange(len(inputs)), _timetable_change(random))
    end = random.choice((["f5"], ["f5", "f5"], ["escape"], ["escape", "y"]))
    return _spread(random, [*inputs, *_keys(*end)])


def _cron(random: Random) -> list[Input]:
    return [Text(random.choice(("0 2 * * *", "* * * * *", "61 2 * * *", "UTC", "OPS-7", "K=1")))]


def _save(random: Random) -> list[Input]:
    text = Text(random.choice(("a", "b1")))
    return _spread(random, [Key("ctrl+s"), text, Key("enter"), Key("escape")])


_SCENES: tuple[tuple[Callable[[Random], list[Input]], float], ...] = (
    (_action, 6), (_moves, 4), (_other, 3), (_noise, 2), (_paste, 1), (_raw, 0.7), (_mouse, 4),
    (_resize, 1.5), (_filter, 2), (_admission, 2), (_new_task, 1), (_tasks, 1), (_again, 2),
    (_open, 2.5), (_read_output, 1.5), (_open_and_close, 1), (_palette, 1), (_help, 0.7),
    (_token, 0.4), (_host, 2),
    (_save, 0.3), (_schedules, 2), (_schedule_forms, 2),
)  # fmt: skip
