"""What the default engine makes of a few messages; each list is one kind of event or several."""

import pytest

from parsing._masks import tokenise
from parsing._skeleton import SkeletonEngine


def templates(messages: list[str]) -> list[str]:
    """Return the final template of each message."""
    engine, texts, found = SkeletonEngine(1000), {}, []
    for message in messages:
        [(cluster, changes)] = engine.learn([tokenise(message)])
        texts.update(changes)
        found.append(cluster)
    return [texts[cluster] for cluster in found]


@pytest.mark.parametrize(
    ("messages", "template"),
    [
        (["login of anna from host", "login of bert at host"], None),
        (["link of eth0 went down", "link of eth1 went down"], "link of <*> went down"),
        (["eth0: link down", "wlan0: link down"], "<*>: link down"),
        (["Starting cron.service...", "Starting sshd.service..."], "Starting <*>..."),
        (["started CacheLoader now", "started TaskRouter now"], "started <*> now"),
        (["disk enabled", "disk disabled"], None),
        (["inSize = 5", "outSize = 5"], None),
        (["login for anna from 10.0.0.1", "login for bert from 10.0.0.2"], "login for <*> from <*>"),
        (["state: up -> degraded now", "state: failed -> up now"], "state: <*> -> <*> now"),
        (["level: low, zone: north", "level: high, zone: south"], "level: <*>, zone: <*>"),
        (["a=x b=y c=z d", "a=k b=l c=m d"], "a=<*> b=<*> c=<*> d"),
        (['{"user": "anna"}', '{"host": "anna"}'], None),
        (["job 'daily report' ran", "job 'weekly clean up' ran"], "job '<*>' ran"),
        (["wrote 4.0 KB of log", "wrote 12 MB of log"], "wrote <*> of log"),
        (["wrote 4.0 KB of log", "wrote 12 KB of log"], "wrote <*> KB of log"),
        (["sent 9 bytes to disk", "sent 2000 bytes (1.9 KB) to disk"], "sent <*> to disk"),
        (["fans ( 1 2 3 ) fine", "fans ( 4 5 6 ) fine"], "fans ( <*> <*> <*> ) fine"),
        (["fans ( 1 2 3 ) fine", "fans ( 4 5 6 7 ) fine"], "fans ( <*> ) fine"),
        (["no user anna from here", "no user user from here", "no user  from here"], "no user <*> from here"),
        (["part 3/10 of 7", "part 4/10 of 7"], "part <*>/<*> of <*>"),
        (["peers a1, b2 left", "peers a1 left"], "peers <*> left"),
    ],
)
def test_when_messages_are_one_event(messages: list[str], template: str | None) -> None:
    found = templates(messages)
    assert len(set(found)) == (2 if template is None else 1)
    assert template in (None, found[0])


def test_words_become_parameters_when_there_are_many() -> None:
    words = ["tent", "lamp", "stove", "rope", "boot", "sock"]
    assert len(set(templates([f"sold one {word} today" for word in words[:5]]))) == 5
    assert set(templates([f"sold one {word} today" for word in words])) == {"sold one <*> today"}


def test_a_snapshot_goes_on_where_it_was_taken() -> None:
    messages = [f"put {n} KB into store.{word} of {word}" for n, word in enumerate("abcdefgh")] + [
        "put 9 MB into x of y"
    ]
    whole = SkeletonEngine(100)
    expected = list(whole.learn(list(map(tokenise, messages))))
    for cut in range(len(messages)):
        first, second = SkeletonEngine(100), SkeletonEngine(100)
        for message in messages[:cut]:
            list(first.learn([tokenise(message)]))
        second.restore(first.snapshot())
        assert list(second.learn(list(map(tokenise, messages[cut:])))) == expected[cut:]
