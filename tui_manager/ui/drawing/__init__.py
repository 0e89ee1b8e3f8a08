"""How text, figures and states look: spans with roles, glyphs, themes. Lists are in `listing`."""
