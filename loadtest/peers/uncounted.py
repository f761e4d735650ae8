"""Footfall that counts nothing: the same read, with the append taken out of its script.

For the bench alone, and so not a setting of Footfall.
"""

from footfall.eventlog.lua_scripts import ADD, APPEND, APPEND_CACHED, CAP, Script

for script in (APPEND, APPEND_CACHED):
    if not (CAP in script.source and ADD in script.source):
        raise RuntimeError("the scripts of the log have changed: nothing to take out")
    source = script.source.replace(CAP, "").replace(ADD, "local id = '0-0'")
    vars(script).update(vars(Script(source)))

from project.wsgi import application  # noqa: E402  # after the scripts have changed

__all__ = ["application"]
