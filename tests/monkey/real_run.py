"""The real program in a terminal under a monkey, with a real manager and real agents."""

import re
import time
from collections import deque
from collections.abc import Callable, Iterable
from random import Random

from tests.monkey.choosing import Chooser
from tests.monkey.inputs import Input, Key, Paste, Resize, Text, Turns, Wait, as_sent
from tests.monkey.real_fleet import RealFleet
from tests.monkey.terminal_screen import TerminalScreen
from tests.support.programs.programs import wait_for
from tests.support.programs.terminals import Terminal
from tui_manager.ui.drawing.state_words_and_colours import LEGEND, host_glyph, task_glyph

BANNED = ("q", "ctrl+q", "ctrl+s")  # ctrl+s: whatever was typed would be the path of a file
CHOICES = 12  # of a round
KEPT = 150  # lines of the story that a failure tells
LOOKS = (120, 36)  # the size in which answers and rows are looked at
_PATIENCE = 5.0  # seconds for which one try to open the help is looked at
_LEAVES_FORMS = 6  # from the deepest form to a screen: `esc`, and `y` if it asks
GLYPHS = frozenset(span.text for span, _ in LEGEND)
_ROW = re.compile(r"│[ ▸◆] (\S) +(\S+)")


class Monkey:
    """One dashboard in a terminal.

    Args:
        terminal: the dashboard has just been started on it.
        say: takes a line of the story.
    """

    def __init__(self, terminal: Terminal, fleet: RealFleet, chooser: Chooser, random: Random):
        self._terminal = terminal
        self._fleet = fleet
        self._chooser = chooser
        self._random = random
        self._screen = TerminalScreen(*LOOKS)
        self.story: deque[str] = deque(maxlen=KEPT)

    def begin(self) -> None:
        """Waits until it is drawn."""
        self._see("the dashboard", lambda text: "hosts" in text)

    def round(self, size: tuple[int, int]) -> None:
        """Inputs and events in a terminal of this size, then a look at everything."""
        self._resize(size)
        self._fleet.refill()
        for _ in range(CHOICES):
            for item in self._chooser.choose():
                self._give(item)
            if self._random.random() < 0.5:
                self._note(self._fleet.happen())
        self.look()

    def look(self) -> None:
        """It lives, it answers keys, and its rows say what the manager says."""
        self._resize(LOOKS)
        self._answers()
        self._press("2")
        self._see_rows("hosts", self._host_rows)
        self._press("3")
        self._see_rows("tasks", self._task_rows)
        self._press("1")

    def _answers(self) -> None:
        wait_for("the help", self._opens_help, explain=self.explain)
        self._press("\x1b")
        self._see(
            "the dashboard",
            lambda text: "─ Keys" not in text and "─ Output" in text and "─ Recent" in text,
        )

    def _opens_help(self) -> bool:
        """Leaves what is open for the dashboard, and asks for its help. A form whose task is being
        made is not left: it takes another try then."""
        for _ in range(_LEAVES_FORMS):
            self._press("\x1b")
            self._press("y")  # if it asks
        self._press("1")
        self._press("?")
        end = time.monotonic() + _PATIENCE
        while not (opens := "─ Keys" in self._seen()) and time.monotonic() < end:
            time.sleep(0.05)
        return opens

    # Rows.

    def _host_rows(self) -> set[tuple[str, str]]:
        return {(host_glyph(host).text, host.name) for host in self._fleet.hosts()}

    def _task_rows(self) -> set[tuple[str, str]]:
        return {(task_glyph(task).text, str(task.task_id)) for task in self._fleet.tasks()}

    def _see_rows(self, what: str, said: Callable[[], Iterable[tuple[str, str]]]) -> None:
        """Whatever row is drawn is true; while work goes on it may take a few looks."""

        def lies() -> object:
            drawn, truth = self._rows(what), set(said())
            return None if drawn is not None and drawn <= truth else (drawn, truth)

        wait_for(f"true rows of {what}", lies, lambda seen: seen is None, explain=self.explain)

    def _rows(self, what: str) -> set[tuple[str, str]] | None:
        """The glyph and the name of each row; None while another screen is seen."""
        lines = self._seen().splitlines()
        if not any(line.startswith(f"╭─ {what.capitalize()}") for line in lines):
            return None
        end = next(number for number, line in enumerate(lines) if line.startswith("╰"))
        found = {_ROW.match(line) for line in lines[2:end]}
        # A letter in the place of the glyph: what an empty table says.
        return {(match[1], match[2]) for match in found if match and match[1] in GLYPHS}

    # The terminal.

    def _seen(self) -> str:
        self._screen.feed(self._terminal.take().decode(errors="replace"))
        text = self._screen.text
        assert self._terminal.process.poll() is None, f"it has ended\n{self.explain()}"
        assert "Traceback" not in text, f"a traceback on the screen\n{self.explain()}"
        return text

    def _see(self, what: str, fits: Callable[[str], object]) -> None:
        wait_for(what, self._seen, fits, explain=self.explain)

    def _resize(self, size: tuple[int, int]) -> None:
        self._seen()  # what comes from now on is drawn for the new size
        self._screen.resize(*size)
        self._terminal.resize(*size)
        self._note(f"{Resize(*size)!r}")

    def _press(self, keys: str) -> None:
        self._note(repr(keys))
        self._terminal.press(keys)
        time.sleep(0.05)

    def _give(self, item: Input) -> None:
        match item:
            case Wait(seconds):
                time.sleep(seconds)
            case Turns(number):
                time.sleep(number / 1000)
            case Resize(columns, rows):
                self._resize((columns, rows))
            case Text(text):
                self._send(Text(text.replace("q", "")))
            case _:
                self._send(item)
        self._seen()

    def _send(self, item: Input) -> None:
        self._note(repr(item))
        for piece in as_sent(item, self._screen.columns, self._screen.rows):
            self._terminal.press(piece)
            time.sleep(0.02 if isinstance(item, Key | Paste) else 0.0)

    def _note(self, line: str) -> None:
        self.story.append(f"{time.strftime('%H:%M:%S')} {line}")

    def explain(self) -> str:
        """What was done last, and what is seen."""
        return "\n".join(
            (
                *self.story,
                f"--- the screen, {self._screen.columns}x{self._screen.rows}",
                self._screen.text,
                self._fleet.machine.story(),
            )
        )
