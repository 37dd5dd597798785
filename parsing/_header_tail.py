"""What stands between the time and the message: columns, level, thread, logger name."""

import re

from parsing._header_scan import LEVEL_HERE, LEVEL_TEXT, SEPARATOR, TRACE, Scan, add_level
from parsing._layouts import LEVEL_WORDS

_LEVEL_AHEAD = re.compile(
    rf"(?:(?<=[\s|:(<\[])|^)(?:{LEVEL_WORDS}|{LEVEL_WORDS.title()})(?=[\s\])>|:,]|$)"
    rf"|[\[(<]{LEVEL_TEXT}\s*[\])>]"
)
# In lower case a level is a word like others, but for those before a colon and those that begin no sentence.
_PLAIN_LEVEL = re.compile(
    rf"\s+(?P<level>(?:{LEVEL_WORDS.lower()})(?=:\s|\s[\w.-]+\[\d+\]\s)|(?:info|debug|warn|trace)(?=\s))"
)
_BRACKET = re.compile(r"\[([^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*)\]")
_NUMBER = re.compile(r"\d{1,10}(?=[\s|])")
_NAME_COLON = re.compile(
    r"(?P<name>[A-Za-z_$][\w.$/\-]*(?:::[\w$]+)*(?:@\d+|#\w+)?)(?P<pid>\[\d+\])?(?P<gap>\s*):(?=\s|$)"
)
_NAME_DASH = re.compile(r"(?P<name>[A-Za-z_$][\w.$/:#<>\-]*)(?=\s+-\s)")
_NAME_BARE = re.compile(r"(?P<name>[A-Za-z_]\w*(?:\.\w+)+)(?=\s)")
_NAME_CONTEXT = re.compile(r"[A-Za-z_]\w*(?= \[(?:-|None|req-[^\]]*)\])")
_NAME_COLUMN = re.compile(r"(?P<name>[A-Za-z]\w*)(?=\s{2,})")
_HASH_NAME = re.compile(r"(?P<name>[A-Za-z_][\w.$]*#\d+)(?=\s)")
_STRONG = re.compile(r"[.$/_]|::|[a-z0-9][A-Z]")
_PROSE_HEADS = frozenset(
    {"error", "warning", "warn", "note", "exception", "failed", "failure", "usage", "hint", "info"}
)
_STRONG_NAME = r"(?:[A-Za-z_][\w$-]*)?(?:[./$_]|::|[a-z0-9][A-Z])[\w$./:@#-]*?"
_WEAK_NAME = r"[A-Za-z_$][\w.$/:@#-]*?"
_ERLANG = re.compile(r"<\d+\.\d+\.\d+>(?= )")
_DOTTED = re.compile(r"\[[A-Za-z_$][\w$/-]*(?:\.[\w$]+)+(?::\d+)?\s*\]")
_ADJACENT = re.compile(r"\[[A-Za-z][\w.,$/:-]*\s*\]")
_BRACES = re.compile(r"\{[^{}\s]*\}")
_SPANS = re.compile(r"(?:[\w.]+\{[^{}]*\}:)+\s+")
_LETTER = re.compile(r"(?P<uid>\s+\d+)?\s+\d+\s+\d+\s+[VDIWEF]\s")
_MODULE = re.compile(r"\s+[A-Za-z_][\w.]*\s+\d+\s+\d{5,}\s")
_PROCESS = re.compile(r"[A-Za-z][\w.-]*\[\d+\](?=\s)")


def tail(scan: Scan, columnar: bool) -> None:
    """Take over what stands between time and message: columns, level, thread, logger name."""
    ahead = _LEVEL_AHEAD.search(scan.text, scan.at, scan.at + 120)
    plain = _PLAIN_LEVEL.match(scan.text, scan.at)
    if _letter(scan) or _module(scan):
        return
    if "level" in scan.named:
        pass
    elif plain is not None:
        _to_level(scan, plain.start("level"))
    elif ahead is not None and _columns_before(scan.text[scan.at : ahead.start()]):
        _to_level(scan, ahead.start())
    if "level" not in scan.named and columnar and (number := re.compile(r"\s+\d+(?=\s)").match(scan.text, scan.at)):
        scan.add(" <*>", r"\s+\d+", number.end())
    wide = re.match(r"\s{2,}", scan.text[scan.at :]) is not None
    scan.separator()
    if "component" not in scan.named and not TRACE.match(scan.text, scan.at):
        component(scan, wide)


def _letter(scan: Scan) -> bool:
    """Take over what logcat writes after the time; return whether that is what follows."""
    found = _LETTER.match(scan.text, scan.at)
    if found is not None:
        uid = r"\s+\d+" if found.group("uid") else ""
        part = r"\s+(?P<pid>\d+)\s+(?P<thread>\d+)\s+(?P<level>[VDIWEF])\s+(?P<component>.*?)\s*:(?:\s|$)"
        shown = " <*>" * bool(uid) + " <pid> <tid> <level> <component>: "
        scan.add(shown, uid + part, found.end(), "level", "component")
    return found is not None


def _module(scan: Scan) -> bool:
    """Take over module, process and thread where the level came before the time; return whether they follow."""
    found = _MODULE.match(scan.text, scan.at) if "level" in scan.named else None
    if found is not None:
        part = r"\s+(?P<component>[A-Za-z_][\w.]*)\s+(?P<pid>\d+)\s+(?P<thread>\d+)\s+"
        scan.add(" <component> <pid> <thread> ", part, found.end(), "component", "pid", "thread")
    return found is not None


def _columns_before(text: str) -> bool:
    """Return whether what stands before a level looks like columns and not like a sentence."""
    outside = _BRACKET.sub(" ", text)
    words = [word for word in outside.split() if not re.fullmatch(r"[-|,:]+", word)]
    prose = sum(word.isalpha() and word.islower() for word in words)
    return len(words) <= 5 and prose <= 1 and '"' not in text and "=" not in outside


def _to_level(scan: Scan, level_at: int) -> None:
    """Take over columns up to the level that stands at `level_at`, and the level."""
    items: list[tuple[str, str, str]] = []
    text = scan.text
    scan.separator()
    while scan.at < level_at:
        if bracket := _BRACKET.match(text, scan.at):
            items.append(_bracket_item(bracket.group(1)))
            end = bracket.end()
        elif number := _NUMBER.match(text, scan.at):
            items.append(("number", "<*>", r"\d+"))
            end = number.end()
        elif braces := _BRACES.match(text, scan.at):
            items.append(_braces_item(braces.group(), scan))
            end = braces.end()
        else:
            end = text.index(" ", scan.at) if " " in text[scan.at : level_at] else level_at
            end = max(end, scan.at + 1)
            items.append(("word", "<*>", r"\S+"))
        items.append(("gap", *_gap(scan, end)))
    found = LEVEL_HERE.match(text, scan.at)
    for shown, regex in _named_columns(items, scan):
        scan.add(shown, regex, scan.at)
    if found is not None:
        add_level(scan, found)


def _gap(scan: Scan, end: int) -> tuple[str, str]:
    """Move behind the separator at `end`; return it as shown and as expression."""
    found = SEPARATOR.match(scan.text, end)
    assert found is not None
    mark = found.group().strip()
    scan.at = found.end()
    if not found.group():
        return "", ""
    return (f" {mark} " if mark else " ", rf"\s*{re.escape(mark)}\s*" if mark else r"\s+")


def _bracket_item(content: str) -> tuple[str, str, str]:
    if content.strip().isdigit():
        return "number", "[<*>]", r"\[\s*(?P<pid>\d+)\s*\]"
    return "bracket", "[<thread>]", r"\[(?P<thread>[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*)\]"


def _braces_item(text: str, scan: Scan) -> tuple[str, str, str]:
    """A place in the source is the component, what else is in braces is of no kind."""
    if re.search(r"\.\w+:\d+}$", text) and "component" not in scan.named:
        scan.named.add("component")
        return "braces", "{<component>}", r"\{(?P<component>[^{}]*)\}"
    return "braces", "{<*>}", r"\{[^{}]*\}"


def _named_columns(items: list[tuple[str, str, str]], scan: Scan) -> list[tuple[str, str]]:
    """Give columns their meaning: the last word is the component, numbers are process and thread."""
    words = [i for i, item in enumerate(items) if item[0] == "word"]
    numbers = [i for i, item in enumerate(items) if item[0] == "number"]
    named = {}
    if words and "component" not in scan.named:
        named[words[-1]] = ("<component>", r"(?P<component>\S+)")
        scan.named.add("component")
    for i, field in zip(numbers, ("pid", "thread"), strict=False):
        regex = items[i][2] if "?P<" in items[i][2] else rf"(?P<{field}>\d+)"
        named[i] = (f"<{field}>", regex)
    seen_thread = any("thread" in shown for shown, _ in named.values())
    for i, item in enumerate(items):
        if item[0] == "bracket":
            named[i] = ("[<*>]", r"\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]") if seen_thread else (item[1], item[2])
            seen_thread = True
    return [named.get(i, (item[1], item[2])) for i, item in enumerate(items)]


def component(scan: Scan, wide: bool) -> None:
    """Take over thread and logger name after the level, where the line has them."""
    text, had_level = scan.text, "level" in scan.named
    bracket = _BRACKET.match(text, scan.at) if had_level else None
    if bracket is not None:
        place = re.fullmatch(r"(.*):([\w$.]+)@(\d+)", bracket.group(1), re.DOTALL)
        if place:
            again = "(?P<thread>" in scan.regex
            part = r"\[(?:.*?)" if again else r"\[(?P<thread>.*?)"
            shown = "[<*>:<component>@<*>]" if again else "[<thread>:<component>@<*>]"
            scan.add(shown, part + r":(?P<component>[\w$.]+)@\d+\]", bracket.end(), "component")
            scan.separator()
            return
        if _DOTTED.match(text, scan.at):
            scan.add("[<component>]", r"\[(?P<component>[\w$./:-]+)\s*\]", bracket.end(), "component")
            scan.separator()
            return
        if text[scan.at - 1] == "]" and _ADJACENT.match(text, scan.at):
            scan.add("[<component>]", r"\[(?P<component>[\w$.,/:-]+)\s*\]", bracket.end(), "component")
            scan.separator()
            return
        after = SEPARATOR.match(text, bracket.end())
        assert after is not None
        dashed = after.group().strip().startswith("-")
        bare = _NAME_BARE.match(text, after.end())
        named = _name(text, after.end()) is not None or (bare is not None and bare.group().count(".") >= 2)
        if dashed or named or bracket.group(1).isdigit():
            shown, regex = (
                ("[<pid>]", r"\[(?P<pid>\d+)\]") if bracket.group(1).isdigit() else _bracket_item(bracket.group(1))[1:]
            )
            if "pid" in scan.named and "pid" in shown:
                shown, regex = "[<*>]", r"\[\d+\]"
            scan.add(shown, regex, bracket.end(), "thread")
            scan.separator()
    if had_level and (process := _ERLANG.match(text, scan.at)) is not None:
        scan.add("<thread> ", r"(?:(?P<thread><\d+\.\d+\.\d+>) )?", process.end() + 1, "thread")
        return
    number = re.compile(r"\d+\s+---\s+(?:\[[^\]]*\]\s+)?\[([^\]]*)\]\s+").match(text, scan.at)
    if number is not None:
        part = r"(?P<pid>\d+)\s+---\s+(?:\[[^\]]*\]\s+)?\[\s*(?P<thread>[^\]]*)\]\s+"
        scan.add("<pid> --- [<thread>] ", part, number.end(), "thread")
    _logger(scan, had_level, wide)


def _name(text: str, at: int) -> re.Match[str] | None:
    found = _NAME_COLON.match(text, at) or _NAME_DASH.match(text, at)
    if found is None or found.group("name").lower() in _PROSE_HEADS:
        return None
    return found


def _logger(scan: Scan, had_level: bool, wide: bool) -> None:
    text = scan.text
    if not had_level and "thread" not in scan.named:
        if dash := re.compile(r"(?P<name>[\w.]+\.exe(?: \*\d+)?|[A-Za-z_]\w*(?: \*\d+)?)(?=\s+-\s)").match(
            text, scan.at
        ):
            scan.add("<component> - ", r"(?P<component>\S+(?: \*\d+)?)\s+-\s+", dash.end(), "component")
        elif source := re.compile(r"[\w./-]+\.\w+:\d+:\s").match(text, scan.at):
            scan.add("<component>: ", r"(?P<component>[\w./-]+\.\w+:\d+):\s+", source.end(), "component")
        elif column := re.compile(r"[A-Za-z]\w*\s{3,}").match(text, scan.at):
            scan.add("<component> ", r"(?P<component>[A-Za-z]\w*)\s{2,}", column.end(), "component")
        return
    if spans := _SPANS.match(text, scan.at):
        scan.add("<*>: ", r"(?:(?:[\w.]+\{[^{}]*\}:)+\s+)?", spans.end())
    colon, dash = _NAME_COLON.match(text, scan.at), _NAME_DASH.match(text, scan.at)
    strong = colon is not None and _STRONG.search(colon.group("name")) is not None
    if dash is not None:
        scan.add("<component> - ", r"(?:(?P<component>[A-Za-z_$][\w.$/:#<>-]*)\s+-\s+)?", dash.end(), "component")
    elif _HASH_NAME.match(text, scan.at):
        scan.add("<component> ", r"(?:(?P<component>[A-Za-z_][\w.$]*#\d+)\s+)?(?:-\s+)?", scan.at, "component")
        scan.at = text.index(" ", scan.at) + 1
    elif colon is not None and _accept(colon) and (strong or not scan.regex.endswith(r":\s*")):
        name = _STRONG_NAME if strong and not colon.group("gap") else _WEAK_NAME
        part = rf"(?:(?P<component>{name})(?:\[(?P<pid>\d+)\])?\s*:(?:\s+|$))?"
        if "pid" in scan.named or "(?P<pid>" in scan.regex:
            part = part.replace("?P<pid>", "?:")
        scan.add("<component>: ", part, colon.end(), "component")
    elif (bare := _NAME_BARE.match(text, scan.at) or _NAME_CONTEXT.match(text, scan.at)) is not None and (
        bare.group().count(".") >= 2 or text.startswith(" [", bare.end())
    ):
        regex = r"(?P<component>[A-Za-z_]\w*(?:\.\w+)*)\s+(?:\[[^\[\]]*\]\s*)?"
        dashed = re.compile(r"\s+\[[^\[\]]*\]\s*-\s").match(text, bare.end()) is not None
        shown = "<component> [<*>] - " if dashed else "<component> [<*>] "
        scan.add(shown, regex + r"(?:-\s+)?" * dashed, bare.end(), "component")
    elif had_level and (process := _PROCESS.match(text, scan.at)) is not None and "pid" not in scan.named:
        part = r"(?:(?P<component>[A-Za-z][\w.-]*)\[(?P<pid>\d+)\]:?\s+)?"
        scan.add("<component>[<pid>] ", part, process.end(), "component")
    elif had_level and (flask := re.compile(r"in [\w.]+:\s").match(text, scan.at)) is not None:
        scan.add("in <component>: ", r"in (?P<component>[\w.]+):\s+", flask.end(), "component")
    elif wide and (column := _NAME_COLUMN.match(text, scan.at)):
        scan.add("<component> ", r"(?P<component>[A-Za-z]\w*)\s{2,}", column.end(), "component")
    elif had_level:
        part = rf"(?:(?P<component>{_STRONG_NAME}):(?:\s+|$))?"
        scan.add("<component>: ", part, scan.at, "component")


def _accept(colon: re.Match[str]) -> bool:
    name = colon.group("name")
    return name.lower() not in _PROSE_HEADS and (not name.istitle() or bool(colon.group("gap")))
