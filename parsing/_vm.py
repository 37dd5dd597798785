"""Run header programs (`_program`) over the rows of a byte buffer, in compiled code.

All that runs is in this file: the cache of compiled code on disk notices a change of the file it is compiled from, not
of others. After a change of the operations in `_program`, touch this file.
"""

import numpy as np

from parsing import _program as p
from parsing._jit import compiled

_SET, _SPAN, _GREEDY, _LAZY, _SPLIT, _JUMP, _SAVE = p.SET, p.SPAN, p.GREEDY, p.LAZY, p.SPLIT, p.JUMP, p.SAVE
_SWITCH, _AT_END, _BORDER, _REST, _DONE = p.SWITCH, p.AT_END, p.BORDER, p.REST, p.DONE
_BRANCH, _UNDO, _GIVE, _TAKE = 0, 1, 2, 3
_STEPS = 20_000
DEPTH = 1024
"""Rows of the stack `run` wants (four columns)."""

MATCH, NO_MATCH, UNDECIDED = 1, 0, 2
"""Outcomes; undecided: the line needs more steps than are worth it here, ask RE2."""


@compiled
def _is_word(byte):  # type: ignore[no-untyped-def]
    return (48 <= byte <= 57) or (65 <= byte <= 90) or byte == 95 or (97 <= byte <= 122)


@compiled
def run(code, sets, jumps, entry, data, start, end, saved, stack):  # type: ignore[no-untyped-def]
    """Match data[start:end] as a whole; group i is then data[saved[2 * i]:saved[2 * i + 1]] (-1: absent)."""
    saved[:] = -1
    pc, at, top, steps = entry, start, 0, 0
    while True:
        steps += 1
        if steps > _STEPS or top >= DEPTH - 2:
            return UNDECIDED
        operation = code[pc, 0]
        good = True
        if operation == _SET:
            if at < end and sets[code[pc, 1], data[at]]:
                at += 1
                pc += 1
            else:
                good = False
        elif operation == _SPAN:
            among, most = code[pc, 1], at + code[pc, 3]
            least = at + code[pc, 2]
            place, stop = np.uint64(at), np.uint64(min(end, most))
            while place < stop and sets[np.uint64(among), data[place]]:  # unsigned: no check for places from the end
                place += np.uint64(1)
            at = np.int64(place)
            pc += 1
            good = at >= least
        elif operation == _SWITCH:
            pc = jumps[code[pc, 1], data[at] if at < end else 256]
        elif operation == _SAVE:
            slot = code[pc, 1]
            if top > 0:
                stack[top, 0], stack[top, 1], stack[top, 2] = _UNDO, slot, saved[slot]
                top += 1
            saved[slot] = at
            pc += 1
        elif operation == _JUMP:
            pc = code[pc, 1]
        elif operation == _REST:
            at = end
            pc += 1
        elif operation == _GREEDY:
            among = code[pc, 1]
            least = at + code[pc, 2]
            stop = min(end, at + code[pc, 3])
            while at < stop and sets[among, data[at]]:
                at += 1
            good = at >= least
            if good:
                stack[top, 0], stack[top, 1], stack[top, 2], stack[top, 3] = _GIVE, pc, at + 1, least
                top += 1
                good = False
        elif operation == _LAZY:
            among, least = code[pc, 1], at + code[pc, 2]
            most = min(end, at + code[pc, 3])
            while at < least and at < most and sets[among, data[at]]:
                at += 1
            good = at >= least
            if good:
                stack[top, 0], stack[top, 1], stack[top, 2], stack[top, 3] = _TAKE, pc, at, most
                top += 1
                good = False
        elif operation == _SPLIT:
            stack[top, 0], stack[top, 1], stack[top, 2] = _BRANCH, code[pc, 2], at
            top += 1
            pc = code[pc, 1]
        elif operation == _AT_END:
            good = at == end
            pc += 1
        elif operation == _BORDER:
            before = at > start and _is_word(data[at - 1])
            after = at < end and _is_word(data[at])
            good = before != after
            pc += 1
        elif operation == _DONE:
            return MATCH
        else:
            good = False
        while not good:
            if top == 0:
                return NO_MATCH
            top -= 1
            kind, pc, at = stack[top, 0], stack[top, 1], stack[top, 2]
            if kind == _BRANCH:
                good = True
            elif kind == _UNDO:
                saved[pc] = at
            elif kind == _GIVE:  # give back until what follows can begin there
                least, follow = stack[top, 3], code[pc + 1, 2]
                at -= 1
                while at >= least and not sets[follow, data[at] if at < end else 256]:
                    at -= 1
                if at >= least:
                    good = True
                    if at > least:
                        stack[top, 2] = at
                        top += 1
                    pc += 2
            else:  # take more until what follows can begin there; `at` is where it was tried last
                most, among, follow = stack[top, 3], code[pc, 1], code[pc + 1, 2]
                while not sets[follow, data[at] if at < end else 256] and at < most and sets[among, data[at]]:
                    at += 1
                if sets[follow, data[at] if at < end else 256]:
                    good = True
                    if at < most and sets[among, data[at]]:
                        stack[top, 2] = at + 1
                        top += 1
                    pc += 2


@compiled
def take_headers(code, sets, jumps, entries, fields, used, data, line_begins, line_ends, rows, which, begins, ends):  # type: ignore[no-untyped-def]
    """Take the header off each row by the first program that matches it whole.

    Program p starts at entries[p]; its group g is the field fields[p, g]; `used` are the fields of any. which[i]
    becomes the program of rows[i], -1 for none, -2 for undecided; begins and ends (shape [field, row]) where its
    fields are, field 0 being the message.
    """
    saved = np.empty(2 * fields.shape[1], np.int64)
    stack = np.empty((DEPTH, 4), np.int64)
    for i in range(rows.size):
        row = rows[i]
        which[i] = -1
        for number in range(entries.size):
            outcome = run(code, sets, jumps, entries[number], data, line_begins[row], line_ends[row], saved, stack)
            if outcome == UNDECIDED:
                which[i] = -2
                break
            if outcome == MATCH:
                which[i] = number
                for k in range(used.size):
                    begins[used[k], row] = ends[used[k], row] = 0
                for g in range(fields.shape[1]):
                    field = fields[number, g]
                    if field >= 0 and saved[2 * g + 1] >= 0 and ends[field, row] == 0:
                        begins[field, row], ends[field, row] = saved[2 * g], saved[2 * g + 1]
                break
