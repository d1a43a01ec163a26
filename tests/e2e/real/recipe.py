"""The string match of deploy/handbook/refusals.md, as the page has it."""
import os
import re
import textwrap

PAGE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "..", "deploy", "handbook", "refusals.md")


def load():
    """The page's function refused(answer)."""
    block = re.search(r"\n((?:    [^\n]*\n|\n)*    def refused\(answer\):\n(?:    [^\n]*\n)+)", open(PAGE, encoding="utf-8").read())
    assert block, "refusals.md has no def refused(answer)"
    names = {}
    exec(compile(textwrap.dedent(block[1]), PAGE, "exec"), names)  # our own page
    return names["refused"]
