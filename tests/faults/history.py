"""A linearizability checker for small histories, after Wing and Gong with Lowe's memory of configurations.

An object is a pair of items (x, y), each absent (None) or a value; an operation is a dict:
  start, end   when it was called and answered; end is infinite when nobody knows whether it happened
  kind, args   see step()
  result       what was answered
"""
import math


def step(state, op):
    """(what the operation answers in this state, the state after it)."""
    kind, args = op["kind"], op["args"]
    if kind == "get":
        return state[args[0]], state
    if kind == "both":
        return state, state
    if kind == "swap":  # an update without a condition that gives the old value
        return state[args[0]], replaced(state, {args[0]: args[1]})
    if kind == "cas":  # put or delete on the condition that the item is as expected
        which, expected, new = args
        return (True, replaced(state, {which: new})) if state[which] == expected else (False, state)
    if kind == "move":  # a transaction: both items, each on its condition
        expected, new = args
        return (True, new) if state == expected else (False, state)
    raise ValueError(kind)


def replaced(state, changes):
    return tuple(changes.get(i, value) for i, value in enumerate(state))


def linearizable(history, state=(None, None)):
    """Whether the operations could have happened one after the other, each between its call and its answer."""
    history = sorted(history, key=lambda op: op["start"])
    must = sum(1 << i for i, op in enumerate(history) if op["end"] < math.inf)
    seen, stack = set(), [(0, state)]
    while stack:
        done, state = stack.pop()
        if (done, state) in seen:
            continue
        seen.add((done, state))
        if done & must == must:
            return True
        # Next can only be what began before everything that is still open was answered.
        horizon = min(op["end"] for i, op in enumerate(history) if not done >> i & 1)
        for i, op in enumerate(history):
            if op["start"] > horizon:
                break
            if done >> i & 1:
                continue
            answer, after = step(state, op)
            if op["end"] == math.inf:
                if after != state:  # one that changed nothing may as well not have happened
                    stack.append((done | 1 << i, after))
            elif answer == op["result"]:
                stack.append((done | 1 << i, after))
    return False
