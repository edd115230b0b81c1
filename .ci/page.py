"""What commands that write a page of figures have in common. It knows no page."""

import datetime
import hashlib
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent


def option(name, other):
    """The value of --name=VALUE on the command line."""
    for argument in sys.argv[1:]:
        if argument.startswith(f"--{name}="):
            return argument.split("=", 1)[1]
    return other


def said_by(*command):
    """What a command printed."""
    done = subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def commit(*folders):
    """The commit and the day; whether these folders have changes beside it."""
    name = said_by("git", "rev-parse", "--short", "HEAD") or "unknown"
    changed = said_by("git", "status", "--porcelain", "--untracked-files=no", "--", *folders)
    words = " with changes that are not committed" if changed else ""
    return f"Commit {name}{words}, {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}."


def write(page, text):
    """Writes the page, with the sum that a test checks."""
    page.write_text(f"{text}<!-- sum {hashlib.sha256(text.encode()).hexdigest()} -->\n")
