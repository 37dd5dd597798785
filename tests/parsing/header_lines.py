"""Lines with headers of many kinds, written for these tests, and what their fields are."""

CASES = {
    "logcat": (
        "04-02 09:08:07.123  1200  1345 D Keyguard: state changed",
        {"level": "D", "pid": "1200", "thread": "1345", "component": "Keyguard", "message": "state changed"},
    ),
    "apache error": (
        "[Mon Jan 05 04:05:06 2026] [error] cannot open /tmp/x",
        {"time": "Mon Jan 05 04:05:06 2026", "level": "error", "message": "cannot open /tmp/x"},
    ),
    "apache error of a module": (
        "[Mon Jan 05 04:05:06.123456 2026] [core:error] [pid 12:tid 13] [client 10.0.0.1:80] File missing: /x",
        {
            "component": "core",
            "level": "error",
            "pid": "12",
            "thread": "13",
            "client": "10.0.0.1:80",
            "message": "File missing: /x",
        },
    ),
    "apache error of a module without client": (
        "[Mon Jan 05 04:05:06.123456 2026] [mpm_event:notice] [pid 12:tid 13] resuming",
        {"component": "mpm_event", "level": "notice", "client": "", "message": "resuming"},
    ),
    "python without dashes": (
        "2026-01-05 12:00:00,123 shop.cart ERROR boom",
        {"component": "shop.cart", "level": "ERROR", "message": "boom"},
    ),
    "syslog 5424 with several elements and none of them": (
        '<165>1 2026-01-05T22:14:15.003+02:00 host app - - [ex@1 iut="3" e="A"][x@2 c="\\]"] hello',
        {
            "host": "host",
            "component": "app",
            "pid": "",
            "data": '[ex@1 iut="3" e="A"][x@2 c="\\]"]',
            "message": "hello",
        },
    ),
    "windows servicing": (
        "2026-09-28 04:30:30, Info                  CBS    Loaded Servicing Stack v6",
        {"level": "Info", "component": "CBS", "message": "Loaded Servicing Stack v6"},
    ),
    "columns before the time": (
        "- 1767225600 2026.01.01 N12-A 2026-01-01-00.00.00.123456 N12-A SYS KERNEL INFO cache parity error",
        {"component": "KERNEL", "level": "INFO", "message": "cache parity error"},
    ),
    "six digit time": (
        "260101 101112 77 WARN store.Node: slow disk",
        {"time": "260101 101112", "pid": "77", "level": "WARN", "component": "store.Node", "message": "slow disk"},
    ),
    "log4j": (
        "2026-01-01 10:11:12,345 INFO [pool [a] 3] com.shop.Cart: added",
        {"thread": "pool [a] 3", "component": "com.shop.Cart", "level": "INFO", "message": "added"},
    ),
    "pipes": (
        "20260101-1:2:3:45|Step_Counter|3000|total 12",
        {"component": "Step_Counter", "pid": "3000", "message": "total 12"},
    ),
    "syslog": (
        "Jan  5 04:05:06 host-1 su(pam_unix)[42]: session opened",
        {"host": "host-1", "component": "su(pam_unix)", "pid": "42", "message": "session opened"},
    ),
    "syslog without pid": (
        "<34>Jan  5 04:05:06 host-1 cron: started",
        {"host": "host-1", "component2": "cron", "message": "started"},
    ),
    "syslog 5424": (
        '<34>1 2026-01-05T04:05:06.003Z host app 12 ID47 [x@1 a="b"] hello there',
        {"host": "host", "component": "app", "pid": "12", "message": "hello there"},
    ),
    "time in brackets, program, dash": (
        "[01.05 16:49:06] mail.exe - smtp.example:25 closed",
        {"component": "mail.exe", "message": "smtp.example:25 closed"},
    ),
    "wide columns": (
        "2026-01-05 04:30:30, Info                  CSI    Loaded stack",
        {"level": "Info", "component": "CSI", "message": "Loaded stack"},
    ),
    "thread:class@line": (
        "2026-01-05 17:41:44,747 - INFO  [Quorum[id=1]/0:0:2181:Election@774] - timed out",
        {"level": "INFO", "component": "Election", "message": "timed out"},
    ),
    "context in brackets": (
        "2026-01-05 00:00:00.008 25746 INFO nova.api.server [req-38 - -] GET /v2",
        {"pid": "25746", "component": "nova.api.server", "message": "GET /v2"},
    ),
    "spring": (
        "2026-01-05 12:00:00.123  INFO 12345 --- [           main] c.e.App  : Started",
        {"level": "INFO", "pid": "12345", "thread": "main", "component": "c.e.App", "message": "Started"},
    ),
    "logback": (
        "12:00:00.123 [main] INFO  c.e.Foo - ready",
        {"thread": "main", "level": "INFO", "component": "c.e.Foo", "message": "ready"},
    ),
    "python": (
        "2026-01-05 12:00:00,123 - shop.cart - ERROR - boom",
        {"component": "shop.cart", "level": "ERROR", "message": "boom"},
    ),
    "python basic": ("WARNING:root:disk low", {"level": "WARNING", "component": "root", "message": "disk low"}),
    "klog": (
        "W0612 12:00:00.123456   12345 server.go:123] slow",
        {"level": "W", "pid": "12345", "component": "server.go:123", "message": "slow"},
    ),
    "nginx access": (
        '10.0.0.1 - - [05/Jan/2026:13:55:36 +0100] "GET / HTTP/1.1" 200 12',
        {"client": "10.0.0.1", "message": '"GET / HTTP/1.1" 200 12'},
    ),
    "nginx error": (
        "2026/01/05 12:00:00 [error] 12#5: *1 open() failed",
        {"level": "error", "pid": "12", "thread": "5", "message": "*1 open() failed"},
    ),
    "ruby": (
        "E, [2026-01-05T08:00:00.123456 #1234] ERROR -- worker: boom",
        {"level": "ERROR", "pid": "1234", "component": "worker", "message": "boom"},
    ),
    "ruby without a program": (
        'I, [2026-01-05T08:00:00.123456 #1234]  INFO -- : Started GET "/"',
        {"level": "INFO", "pid": "1234", "component": "", "message": 'Started GET "/"'},
    ),
    "mysql": (
        "2026-01-05T08:00:00.123456Z 7 [Note] [MY-010116] [Server] mysqld starting",
        {"level": "Note", "thread": "7", "component": "Server", "message": "mysqld starting"},
    ),
    "mysql before 8": (
        "2026-01-05T08:00:00.123456Z 12 [Warning] Aborted connection 12",
        {"level": "Warning", "thread": "12", "component": "", "message": "Aborted connection 12"},
    ),
    "brackets without blanks": (
        "[2026-01-05T08:00:00,123][INFO ][o.e.n.Node               ] [node-1] starting ...",
        {"level": "INFO", "component": "o.e.n.Node", "message": "[node-1] starting ..."},
    ),
    "numbers in brackets without blanks": (
        "[2026-01-05 08:00:00.123][17][warning][main] [source/server.cc:252] slow",
        {"level": "warning", "pid": "17", "component": "main", "message": "[source/server.cc:252] slow"},
    ),
    "spring boot 3": (
        "2026-01-05T08:00:00.123Z  INFO 1 --- [app] [main] c.e.App : Started App",
        {"level": "INFO", "pid": "1", "thread": "main", "component": "c.e.App", "message": "Started App"},
    ),
    "tomcat": (
        "05-Jan-2026 08:00:00.123 INFO [main] org.apache.catalina.Catalina.start Server startup in 12 ms",
        {"thread": "main", "component": "org.apache.catalina.Catalina.start", "message": "Server startup in 12 ms"},
    ),
    "django": (
        '[05/Jan/2026 08:00:00] "GET / HTTP/1.1" 200 12',
        {"time": "05/Jan/2026 08:00:00", "message": '"GET / HTTP/1.1" 200 12'},
    ),
    "clock of twelve hours": (
        "8:05PM ERR failed id=5",
        {"time": "8:05PM", "level": "ERR", "message": "failed id=5"},
    ),
    "seconds since the start": ("WARN[0012] slow  port=80", {"level": "WARN", "message": "slow  port=80"}),
    "level and category": ("fail: MyApp.Worker[0]", {"level": "fail", "message": "MyApp.Worker[0]"}),
    "rust": (
        "[2026-01-05T12:00:00Z INFO  crate::db] ready",
        {"level": "INFO", "component": "crate::db", "message": "ready"},
    ),
    "celery": (
        "[2026-01-05 12:00:00,123: INFO/MainProcess] done",
        {"level": "INFO", "thread": "MainProcess", "message": "done"},
    ),
    "celery with logger": (
        "[2026-01-05 12:00:00,123: WARNING/ForkPoolWorker-2] shop.tasks: late by 3 s",
        {"level": "WARNING", "thread": "ForkPoolWorker-2", "component": "shop.tasks", "message": "late by 3 s"},
    ),
    "glog with a year": (
        "W20260105 08:23:54.854190    41 query_server.cc:214] slow query",
        {
            "level": "W",
            "time": "20260105 08:23:54.854190",
            "pid": "41",
            "component": "query_server.cc:214",
            "message": "slow query",
        },
    ),
    "postgres of the server": (
        '2026-01-05 08:00:00.123 UTC [91] LOG:  automatic vacuum of table "a.b.c"',
        {"pid": "91", "level": "LOG", "user": "", "message": 'automatic vacuum of table "a.b.c"'},
    ),
    "postgres of a session": (
        "2026-01-05 08:00:00.123 CET [87] shop@catalog ERROR:  canceling statement due to user request",
        {
            "pid": "87",
            "user": "shop",
            "database": "catalog",
            "level": "ERROR",
            "message": "canceling statement due to user request",
        },
    ),
    "postgres detail": (
        "2026-01-05 08:00:00.123 UTC [87] shop@catalog STATEMENT:  SELECT 1",
        {"level": "STATEMENT", "message": "SELECT 1"},
    ),
    "rsyslog": (
        "2026-01-05T08:00:02.204464+00:00 host-0 mailer[17]: queue flushed",
        {"host": "host-0", "component": "mailer", "pid": "17", "message": "queue flushed"},
    ),
    "rsyslog without pid": (
        "2026-01-05T08:00:02.204464+00:00 host-0 kernel: out of memory",
        {"host": "host-0", "component": "kernel", "message": "out of memory"},
    ),
    "redis": (
        "1:M 05 Jan 2026 08:00:52.251 # 10 changes lost",
        {"pid": "1", "component": "M", "level": "#", "message": "10 changes lost"},
    ),
    "erlang process": (
        "2026-01-05 08:00:50.647680+00:00 [info] <0.5291.0> accepting",
        {"level": "info", "thread": "<0.5291.0>", "message": "accepting"},
    ),
    "rust module": (
        "2026-01-05T08:00:02.514386Z  INFO inventory::reserve: reserved 6",
        {"level": "INFO", "component": "inventory::reserve", "message": "reserved 6"},
    ),
    "trace ids": (
        "19:51:31.930 INFO  a.c.Cart#75 TraceID: 245e8714006693a315ec183d215130b5 SpanID: ed11d3c812a3209a [add]",
        {"component": "a.c.Cart#75", "trace_id": "245e8714006693a315ec183d215130b5", "message": "[add]"},
    ),
    "only a time": ("2026-01-05 12:00:00 user said ERROR loudly", {"message": "user said ERROR loudly"}),
}
