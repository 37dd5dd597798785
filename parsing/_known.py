"""Headers that some kinds of programs write in their own way: what follows the time, as shown and as expression."""

from parsing._layouts import CODED_LEVELS, LEVEL_WORDS

AFTER_TIME = (
    (  # Apache httpd 2.4
        " [<component>:<level>] [pid <pid>:tid <thread>] [client <client>] ",
        rf"\s+\[(?P<component>[\w-]*):(?P<level>(?i:{LEVEL_WORDS}))\d?\]\s+"
        r"\[pid (?P<pid>\d+)(?::tid (?P<thread>\d+))?\](?:\s+\[client (?P<client>[^\]\s]+)\])?\s+",
    ),
    (  # PostgreSQL
        " [<pid>] <user>@<database> <level>: ",
        r"(?: [A-Z]{3,5})?\s+\[(?P<pid>\d+)\]:?(?:\s+\[\d+-\d+\])?\s+(?:(?P<user>[^\s@]+)@(?P<database>\S+)\s+)?"
        rf"(?P<level>(?:{CODED_LEVELS})\d?):\s+",
    ),
    (  # MySQL
        " <thread> [<level>] [<*>] [<component>] ",
        r"\s+(?P<thread>\d+)\s+\[(?P<level>System|Note|Warning|Error)\](?:\s+\[MY-\d+\]\s+\[(?P<component>\w+)\])?\s+",
    ),
    (  # nginx
        " [<level>] <pid>#<thread>: ",
        rf"\s+\[(?P<level>(?i:{LEVEL_WORDS}))\]\s+(?P<pid>\d+)#(?P<thread>\d+):\s+",
    ),
    (  # Ruby's Logger
        " #<pid>] <level> -- <component>: ",
        rf"\s+#(?P<pid>\d+)\]\s+(?P<level>(?i:{LEVEL_WORDS})|ANY)\s+--\s+(?P<component>[^\s:]*)\s*:\s+",
    ),
)
"""The first that fits counts, where no level or logger has been found before the time."""

TIMELESS = (
    (  # logrus on a terminal
        "<level>[<*>] ",
        r"(?P<level>TRAC|DEBU|INFO|WARN|ERRO|FATA|PANI)\[\d{4,}\]\s+",
    ),
    (  # .NET's console: the category is all there is on the line, and the text is on the next
        "<level>: ",
        r"(?P<level>trce|dbug|info|warn|fail|crit): ",
    ),
)
"""Of lines without a time."""
