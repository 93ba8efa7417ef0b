#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every field of plait_config and plait_options has its name in scenario files.

    config_names.py
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# Given by the simulator: memory, randomness, where events go, where plug-ins are
# found; and what only a process with threads has.
NOT_OURS = {"allocator", "secret", "sink", "plugins", "thread_id", "threads"}


def fields(header, name):
    """Member names of a struct of plain members and unnamed enums."""
    body = re.search(rf"struct {name} {{\n(.*?)\n}};", header, re.DOTALL).group(1)
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL)
    for declaration in body.split(";"):
        declaration = re.sub(r"enum {.*?}", "enum_word", declaration, flags=re.DOTALL).strip()
        for member in declaration.split(","):
            if member.strip():
                yield re.findall(r"\w+", re.sub(r"\[.*?\]", "", member))[-1]


def main():
    header = (ROOT / "include/plait/plait.h").read_text()
    source = (ROOT / "lab/config.c").read_text()
    known = set(re.findall(r"\bC\((\w+),|\bO(?:_WORDS)?\((\w+),|WORDS\(\"(\w+)\"", source))
    known = {name for names in known for name in names if name}
    missing = [f"{struct}.{name}" for struct in ("plait_config", "plait_options")
               for name in fields(header, struct) if name not in known | NOT_OURS]
    for name in missing:
        print(f"lab/config.c has no name for {name}")
    print(f"config_names: {len(known)} names, {len(missing)} missing")
    return 1 if missing or len(known) < 50 else 0


if __name__ == "__main__":
    sys.exit(main())
