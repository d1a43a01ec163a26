#!/usr/bin/env python3
"""Every relative link of the pages leads somewhere: to a file of this repository, and to a heading of it where it has an anchor.

    tests/unit/handbook_links.py [FOLDER]

An anchor is made of a heading as GitHub makes it. FOLDER (the repository) is for the test of this test."""
import os
import re
import sys

SKIPPED = {"build", "node_modules", ".git", "corpus"}
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+(?:\([^()\s]*\))?)(?:\s+\"[^\"]*\")?\)")


def pages(folder):
    for at, names, files in os.walk(folder):
        names[:] = sorted(n for n in names if n not in SKIPPED and not n.startswith("."))
        yield from (os.path.join(at, f) for f in sorted(files) if f.endswith(".md"))


def prose(path):
    """Its lines, empty where they are code: in a fence, or indented behind an empty line."""
    fence, code, last = None, False, ""
    for line in open(path, encoding="utf-8").read().splitlines():
        mark = re.match(r"\s*(```+|~~~+)", line)
        code = line.startswith("    ") and (code or not last.strip())
        last = line
        if mark and (fence is None or line.strip().startswith(fence)):
            fence = None if fence else mark[1]
            line = ""
        yield "" if fence or code else line


def slug(heading):
    """What GitHub's anchors keep of a heading."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    words = re.sub(r"[`*]", "", words).strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def anchors(path):
    found, seen = set(), {}
    for line in prose(path):
        heading = re.match(r"#{1,6}\s+(.*?)\s*#*$", line)
        if heading:
            name = slug(heading[1])
            found.add(name if name not in seen else f"{name}-{seen[name]}")
            seen[name] = seen.get(name, 0) + 1
        found.update(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", line))
    return found


def links(path):
    text = "\n".join(re.sub(r"(`+)(?:(?!\1).)+\1", "``", line) for line in prose(path))
    for link in LINK.finditer(text):
        if not re.match(r"[a-z][a-z0-9+.-]*:", link[1]):
            yield text.count("\n", 0, link.start(1)) + 1, link[1]


def wrong(folder, path, target):
    """What is wrong with a link of a page; None: nothing."""
    name, _, anchor = target.partition("#")
    to = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
    if os.path.relpath(to, folder).startswith(".."):
        return "leads out of the repository"
    if not os.path.exists(to):
        return "there is no such file"
    if anchor and (not to.endswith(".md") or anchor not in anchors(to)):
        return "there is no such heading"
    return None


def main():
    folder = os.path.realpath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", ".."))
    seen = [(path, number, target) for path in pages(folder) for number, target in links(path)]
    bad = [(path, number, target, why) for path, number, target in seen if (why := wrong(folder, path, target))]
    for path, number, target, why in bad:
        print(f"{os.path.relpath(path, folder)}:{number}: {target}: {why}")
    print(f"{len(seen)} links, {len(bad)} wrong")
    return 1 if bad or not seen else 0


if __name__ == "__main__":
    sys.exit(main())
