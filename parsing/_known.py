"""Headers that some kinds of programs write in their own way, as shown and as expression.

An expression is read by RE2 as well; `ahead` is not: it says what must follow for a look to be worth it.
"""

from typing import NamedTuple

from parsing._layouts import CODED_LEVELS, LEVEL_WORDS


class Around(NamedTuple):
    """What stands before and after a time."""

    shown: str
    before: str
    ahead: str
    shown_after: str
    after: str


AROUND_TIME = (
    Around(  # access logs
        "<client> <*> <*> [",
        r"(?P<client>\S+) \S+ \S+(?: \S+)? \[",
        r"\d{1,2}/",
        "] ",
        r"\]\s*",
    ),
    Around(  # glog
        "<level>",
        "(?P<level>[IWEF])",
        r"(?:\d{4}){1,2} \d\d:",
        " <pid> <component>] ",
        r"\s+(?P<pid>\d+)\s+(?P<component>[^\]\s]+)\]\s*",
    ),
    Around(  # CockroachDB
        "<level>",
        "(?P<level>[IWEF])",
        r"\d{6} \d\d:",
        " <pid> <component> ",
        r"\s+(?P<pid>\d+)\s+(?P<component>\S+:\d+)\s+",
    ),
    Around(  # Redis
        "<pid>:<component> ",
        r"(?P<pid>\d+):(?P<component>[XCSM]) ",
        r"\d{1,2} [A-Z][a-z]{2} (?:\d{4} )?\d\d:",
        " <level> ",
        r" (?P<level>[.*#-])\s+",
    ),
    Around(  # the audit daemon of Linux
        "type=<component> msg=audit(",
        r"(?:node=(?P<host>\S+) )?type=(?P<component>\S+) msg=audit\(",
        r"1\d{9}",
        ":<*>): ",
        r":\d+\):\s*",
    ),
    Around(  # CUPS
        "<level> [",
        r"(?P<level>[EWNIDX]) \[",
        r"\d",
        "] ",
        r"\]\s+",
    ),
    Around(  # WebLogic
        "<",
        r"(?:####)?<",
        r"[A-Z]",
        "> <<level>> <<component>> ",
        r">\s+<(?P<level>[A-Z]\w+)>\s+<(?P<component>[^<>]*)>\s+",
    ),
    Around(  # NestJS
        "[<*>] <pid> - ",
        r"\[\w+\]\s+(?P<pid>\d+)\s+- ",
        r"\d",
        " <level> [<component>] ",
        r"\s+(?P<level>[A-Z]+)\s+(?:\[(?P<component>[^\]]*)\]\s+)?",
    ),
    Around(  # reports of Erlang
        "=<level> REPORT==== ",
        r"=(?P<level>[A-Z]+) REPORT==== ",
        r"\d",
        " ===",
        r" ===\s*",
    ),
    Around(  # load balancers that begin with the protocol
        "<*> ",
        r"(?:https?|h2|wss?|grpcs?) ",
        r"\d{4}-",
        " ",
        r"\s+",
    ),
)
"""The first that fits counts, before all else is tried."""

AFTER_TIME = (
    (  # Apache httpd 2.4
        " [<component>:<level>] [pid <pid>:tid <thread>] [client <client>] ",
        rf"\s+\[(?P<component>[\w-]*):(?P<level>(?i:{LEVEL_WORDS}))\d?\]\s+"
        r"\[pid (?P<pid>\d+)(?::tid (?P<thread>\d+))?\](?:\s+\[client (?P<client>[^\]\s]+)\])?\s+",
    ),
    (  # PostgreSQL
        " [<pid>] <user>@<database> <level>: ",
        r"(?: [A-Z]{3,5})?\s+\[(?P<pid>\d+)(?:-\d+)?\]:?(?:\s+\[\d+-\d+\])?\s+"
        r"(?:(?:user=)?(?P<user>[^\s@,]*)[@,](?:db=)?(?P<database>[^\s,]*)(?:,\S*)?\s+)?"
        rf"(?P<level>(?:{CODED_LEVELS})\d?):\s+",
    ),
    (  # PostgreSQL of a cloud
        ":<client>:<user>@<database>:[<pid>]:<level>: ",
        r":(?P<client>[^:\s]*):(?P<user>[^:@\s]*)@(?P<database>[^:\s]*):\[(?P<pid>\d+)\]:"
        rf"(?P<level>(?:{CODED_LEVELS})\d?):\s+",
    ),
    (  # MySQL
        " <thread> [<level>] [<*>] [<component>] ",
        r"(?:\s+(?P<thread>\d+)\s+\[(?P<level>System|Note|Warning|Error|ERROR)|\s+\[(?P<level2>Note))\]"
        r"(?:\s+\[MY-\d+\]\s+\[(?P<component>\w+)\])?\s+",
    ),
    (  # MongoDB before 4.4
        " <level> <component> [<thread>] ",
        r"\s+(?P<level>[DIWEF]\d?)\s+(?:-|(?P<component>[A-Z_]+))\s+\[(?P<thread>[^\]]*)\]\s+",
    ),
    (  # nginx
        " [<level>] <pid>#<thread>: ",
        rf"\s+\[(?P<level>(?i:{LEVEL_WORDS}))\]\s+(?P<pid>\d+)#(?P<thread>\d+):\s+",
    ),
    (  # Ruby's Logger
        " #<pid>] <level> -- <component>: ",
        rf"\s+#(?P<pid>\d+)\]\s+(?P<level>(?i:{LEVEL_WORDS})|ANY)\s+--\s+(?P<component>[^\s:]*)\s*:\s+",
    ),
    (  # network devices: facility, severity, mnemonic
        " <host> %<component>-<level>-<*>: ",
        r"(?::?\s+(?P<host>[^\s%:]+))?\s*:?\s*%(?P<component>[A-Z][A-Z0-9_]*)(?:-[A-Z0-9_]+)*?-(?P<level>[0-7])-\w+:\s+",
    ),
    (  # capnslog
        " <level> | <component>: ",
        r"\s+(?P<level>[CEWNIDT]) \| (?P<component>[\w./-]+):\s+",
    ),
    (  # hclog, which fills up the levels
        " [<level>] <component>: ",
        r"\s+\[(?:(?P<level>INFO|WARN)\] |(?P<level2>TRACE|DEBUG|ERROR)\]) (?P<component>[\w./-]+):\s+",
    ),
    (  # Monolog
        " <component>.<level>: ",
        rf"\s+(?P<component>[\w-]+)\.(?P<level>{LEVEL_WORDS}):\s+",
    ),
    (  # pairs, and then the level
        " pid=<pid> tid=<thread> <level>: ",
        r"(?:\s+pid=(?P<pid>\d+))?(?:\s+tid=(?P<thread>\S+))?(?:\s+[a-z_.]+=\S+)+\s+"
        rf"(?:\[(?P<level>(?i:{LEVEL_WORDS}))\]|(?P<level2>{LEVEL_WORDS}):)\s+",
    ),
    (  # logcat with times
        " <level>/<component>(<pid>): ",
        r"\s+(?P<level>[VDIWEF])/(?P<component>.*?)\s*\(\s*(?P<pid>\d+)\):(?:\s|$)",
    ),
    (  # WebSphere
        " <thread> <component> <level> ",
        r"\s+(?P<thread>[0-9a-f]{8})\s+(?P<component>\S+)\s+(?P<level>[FEWAICDRO])\s+",
    ),
    (  # macOS' log show
        " <thread> <level> <*> <pid> <*> <component>: ",
        r"\s+(?P<thread>0x[0-9a-f]+)\s+(?P<level>Default|Info|Debug|Error|Fault)\s+0x[0-9a-f]+\s+"
        r"(?P<pid>\d+)\s+\d+\s+(?P<component>[^:]+):\s+",
    ),
    (  # programs that log through Apple's NSLog
        " <component>[<pid>:<thread>] ",
        r"\s+(?P<component>[\w.-]+)\[(?P<pid>\d+):(?P<thread>[0-9a-fx]+)\]\s+",
    ),
    (  # VMware's kernel
        " <thread>:<*>)<component>: ",
        r"\s+(?P<thread>cpu\d+):\d+(?: opID=\w+)?\)(?:(?P<level>WARNING|ALERT):\s+)?(?:(?P<component>\w+):\s+)?",
    ),
    (  # a process id with its name
        " [pid <pid>] ",
        r"\s+\[pid (?P<pid>\d+)\]\s+",
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
    (  # Log4j's TTCC
        "<*> [<thread>] <level> <component> - ",
        rf"\d+\s+\[(?P<thread>[^\]]*)\]\s+(?P<level>{LEVEL_WORDS})\s+(?P<component>[\w.$]+)(?:\s+\S+)?\s+-\s+",
    ),
    (  # logcat
        "<level>/<component>(<pid>): ",
        r"(?P<level>[VDIWEF])/(?P<component>.*?)\s*\(\s*(?P<pid>\d+)\):(?:\s|$)",
    ),
)
"""Of lines without a time."""
