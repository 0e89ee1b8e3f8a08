"""The folders of the user are those that platformdirs names, also where it is not asked."""

import sys
from pathlib import Path

import platformdirs
import pytest

from tui_manager.user_folders import config_folder, default_log_dir, default_state_dir

APP = "tui-manager"


@pytest.mark.parametrize("home", ["/home/eva", "/home/eva/", "/root/../home", "", "eva"])
@pytest.mark.parametrize("named", [None, "", "/somewhere", "/somewhere/", "//odd//", "some/where"])
def test_folders_are_those_of_platformdirs(
    monkeypatch: pytest.MonkeyPatch, home: str, named: str | None
) -> None:
    monkeypatch.setenv("HOME", home)
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(variable, raising=False)
        if named is not None:
            monkeypatch.setenv(variable, named)
    assert config_folder() == platformdirs.user_config_path(APP)
    assert default_state_dir() == platformdirs.user_state_path(APP)
    assert default_log_dir() == platformdirs.user_log_path(APP)


def test_other_systems_have_folders_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    for name in ("user_config_path", "user_state_path", "user_log_path"):
        monkeypatch.setattr(platformdirs, name, lambda app, name=name: Path(f"/{name}/{app}"))
    assert config_folder() == Path(f"/user_config_path/{APP}")
    assert default_state_dir() == Path(f"/user_state_path/{APP}")
    assert default_log_dir() == Path(f"/user_log_path/{APP}")
