from collections.abc import Callable

import pyarrow as pa

from parsing import PARSED_LINES, Parser, ParserSettings, explain, parse_lines

MakeLines = Callable[..., tuple[pa.Table, int]]
HEADER = "Jan  5 10:11:12 host app[12]: "


def test_one_row_a_line_with_final_templates(make_lines: MakeLines) -> None:
    bodies = [HEADER + "user anna logged in", "\tat x", HEADER + "user bert logged in", HEADER + "user carl logged in"]
    table, _ = make_lines(bodies)
    out = parse_lines([table.slice(0, 1), table.slice(1, 2), table.slice(3)], Parser(ParserSettings(year=2020)))
    assert out.schema == PARSED_LINES
    assert out["line"].to_pylist() == [1, 2, 3, 4]
    assert out["record"].to_pylist() == [1, 1, 3, 4]
    assert out["template"].to_pylist()[2:] == ["user <*> logged in"] * 2
    assert out["template"].to_pylist()[:2] == ["user <*> logged in <*>"] * 2
    assert out["message"].to_pylist()[:2] == ["user anna logged in\n\tat x", "\tat x"]
    assert out["params"].to_pylist()[3] == ["carl"]
    assert {time.year for time in out["time"].to_pylist()} == {2020}


def test_no_lines() -> None:
    assert parse_lines([], Parser()).num_rows == 0


def test_explain_names_the_format_and_what_is_assumed(make_lines: MakeLines) -> None:
    parser = Parser()
    parse_lines([make_lines([HEADER + "up"])[0]], parser)
    text = explain(parser)
    assert "shop: 1 header format" in text
    assert "<host> <component>[<pid>]: <message>" in text
    assert "year missing" in text
