"""Conditional writes and transactions are linearizable and the stream has each change once, in order per key: with
concurrent clients, also while the process is killed with -9 and started again; what a client tries again with its token happens
once, and indexes hold what the items hold. PARVIS_TEST_SEED replays the choices."""
import math
import os
import random
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from conftest import Platform
from history import linearizable, step

TABLE = "registers"
WORKERS, PAIRS, OPERATIONS, ROUNDS = 6, 3, 80, 3
NOT_DONE = {"TransactionCanceledException", "TransactionConflictException", "ConditionalCheckFailedException"}


def test_the_checker_finds_what_is_wrong():
    def op(start, end, kind, args, result):
        return {"start": start, "end": end, "kind": kind, "args": args, "result": result}
    write = op(0, 1, "cas", (0, None, "a"), True)
    assert linearizable([write, op(2, 3, "get", (0,), "a")])
    assert linearizable([write, op(0.5, 3, "get", (0,), None)])
    assert not linearizable([write, op(2, 3, "get", (0,), None)])  # stale
    assert not linearizable([write, op(2, 3, "cas", (0, None, "b"), True)])  # both conditions cannot have held
    lost = op(0, math.inf, "cas", (0, None, "a"), None)
    assert linearizable([lost, op(1, 2, "get", (0,), "a")]) and linearizable([lost, op(1, 2, "get", (0,), None)])
    assert not linearizable([lost, op(1, 2, "get", (0,), "a"), op(3, 4, "get", (0,), None)])
    torn = op(0, 1, "move", ((None, None), ("a", "b")), True)
    assert not linearizable([torn, op(0, 1, "both", (), ("a", None))])
    assert not linearizable([op(0, 1, "swap", (0, "a"), None), op(0, 1, "swap", (0, "b"), None)])  # a lost update


def explained(history, state=(None, None)):
    """The definition, tried out in full: some order of all answered and some unanswered operations keeps time and answers."""
    if not any(op["end"] < math.inf for op in history):
        return True
    horizon = min(op["end"] for op in history)
    for i, op in enumerate(history):
        answer, after = step(state, op)
        if op["start"] <= horizon and (op["end"] == math.inf or answer == op["result"]):
            if explained(history[:i] + history[i + 1:], after):
                return True
    return False


def random_history(choice):
    """A few operations in a true order, then perhaps one wrong answer or one moved time."""
    state, history, moment = (None, None), [], 0.0
    for number in range(choice.randint(3, 6)):
        kind = choice.choice(["get", "both", "swap", "cas", "move"])
        which, new = choice.randrange(2), str(number)
        args = {"get": (which,), "both": (), "swap": (which, new), "cas": (which, choice.choice([None, state[which]]), new),
                "move": (choice.choice([state, (None, None)]), (new, new))}[kind]
        op = {"kind": kind, "args": args, "result": None}
        op["result"], state = step(state, op)
        moment += 1
        op["start"], op["end"] = moment - choice.random() * 2, moment + choice.random() * 2
        history.append(op)
    for op in history:
        if choice.random() < 0.15:
            op["end"], op["result"] = math.inf, None
    if choice.random() < 0.7:
        wrong = choice.choice(history)
        if wrong["end"] < math.inf:
            wrong["result"] = choice.choice([None, "0", "1", True, False, (None, None), ("0", None)])
    return history


def test_the_checker_agrees_with_the_definition():
    seed = int(os.environ.get("PARVIS_TEST_SEED", random.randrange(1 << 30)))
    print("PARVIS_TEST_SEED =", seed)
    choice, verdicts = random.Random(seed), []
    for _ in range(3000):
        history = random_history(choice)
        verdicts.append(linearizable(history))
        assert verdicts[-1] == explained(sorted(history, key=lambda op: op["start"])), history
    assert 500 < sum(verdicts) < 2800  # both verdicts were tried


def change(number, name, old, new):
    images = {key: {"v": {"S": v}} for key, v in (("OldImage", old), ("NewImage", new)) if v is not None}
    return {"eventName": "INSERT" if old is None else "REMOVE" if new is None else "MODIFY",
            "dynamodb": {"SequenceNumber": f"{number:021}", "Keys": {"p": {"S": name}}, **images}}


@pytest.mark.parametrize("records", [
    [change(1, "0x", None, "a")], [change(1, "0x", None, "a"), change(2, "0x", "b", "c")],  # one is missing
    [change(1, "0x", None, "a"), change(1, "0x", None, "a"), change(2, "0x", "a", "b")],  # one twice
    [change(2, "0x", "a", "b"), change(1, "0x", None, "a")],  # out of order
    [change(1, "0x", None, "a"), change(2, "0x", "a", "z")],  # something that is not stored
    [change(1, "0x", None, "a"), {**change(2, "0x", "a", "b"), "eventName": "INSERT"}],
])
def test_the_stream_checker_finds_what_is_wrong(records):
    def cas(start, expected, new):
        return {"start": start, "end": start + 1, "kind": "cas", "args": (0, expected, new), "result": True}
    history, stored = [[cas(0, None, "a"), cas(2, "a", "b")]], {"0x": "b"}
    check_stream([change(1, "0x", None, "a"), change(2, "0x", "a", "b")], history, stored)
    with pytest.raises(AssertionError):
        check_stream(records, history, stored)


def plain_key(pair, which):
    return {"p": {"S": f"{pair}{'xy'[which]}"}}


def key_in_a_collection(pair, which):
    return {"p": {"S": str(pair)}, "s": {"S": "xy"[which]}}


def name_of(key):
    return key["p"]["S"] + key.get("s", {"S": ""})["S"]


class Worker:
    """One client: makes operations on pairs of items and notes what it called and what was answered."""

    def __init__(self, platform, number, seed, key):
        self.client, self.key = platform.client("dynamodb"), key
        self.number, self.random, self.count = number, random.Random(seed * 1000 + number), 0
        self.unanswered = []  # transactions: the operation and its request
        self.known = [[None, None] for _ in range(PAIRS)]
        self.histories = [[] for _ in range(PAIRS)]

    def run(self, count):
        self.unanswered = [each for each in self.unanswered if not self.try_again(*each)]
        for _ in range(count):
            if not self.one():
                return

    def try_again(self, op, request):
        """The same token: it happened already, or happens now, but not twice. False: still nobody knows."""
        try:
            self.client.transact_write_items(**request)
            op["result"] = True
        except (BotoCoreError, ClientError) as error:
            if "ConditionalCheckFailed" not in str(error):
                return False
            op["result"] = False
        op["end"] = time.monotonic()
        return True

    def one(self):
        pair, which = self.random.randrange(PAIRS), self.random.randrange(2)
        kind = self.random.choices(["get", "both", "swap", "cas", "move"], [2, 2, 2, 4, 3])[0]
        known = self.known[pair]
        self.count += 1
        new = f"{self.number}.{self.count}"
        args = {"get": (which,), "both": (), "swap": (which, new),
                "cas": (which, known[which], None if self.random.random() < 0.2 else new),
                "move": (tuple(known), (new + "x", new + "y"))}[kind]
        op = {"start": time.monotonic(), "end": math.inf, "kind": kind, "args": args, "result": None}
        self.histories[pair].append(op)
        try:
            op["result"] = getattr(self, kind)(pair, *args)
            op["end"] = time.monotonic()
        except (BotoCoreError, ClientError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
            if code in NOT_DONE:
                op["result"], op["end"] = False, time.monotonic()
                if "TransactionConflict" in str(error):  # it says nothing about the conditions
                    self.histories[pair].remove(op)
            elif code == "ThrottlingException":
                self.histories[pair].remove(op)
            else:
                if kind == "move":
                    self.unanswered.append((op, self.request))
                return False
        self.learn(pair, op)
        return True

    def learn(self, pair, op):
        known, args = self.known[pair], op["args"]
        if op["kind"] == "get":
            known[args[0]] = op["result"]
        elif op["kind"] == "both":
            known[:] = op["result"]
        elif op["kind"] == "swap":
            known[args[0]] = args[1]
        elif op["result"] is True:
            known[:] = args[1] if op["kind"] == "move" else [args[2] if i == args[0] else v for i, v in enumerate(known)]

    @staticmethod
    def condition(expected):
        if expected is None:
            return {"ConditionExpression": "attribute_not_exists(p)"}
        return {"ConditionExpression": "v = :e", "ExpressionAttributeValues": {":e": {"S": expected}}}

    def get(self, pair, which):
        return value(self.client.get_item(TableName=TABLE, Key=self.key(pair, which), ConsistentRead=True).get("Item"))

    def both(self, pair):
        if "s" in self.key(pair, 0) and self.random.random() < 0.5:
            found = self.client.query(TableName=TABLE, ConsistentRead=True, KeyConditionExpression="p = :p",
                                      ExpressionAttributeValues={":p": self.key(pair, 0)["p"]})["Items"]
            values = {item["s"]["S"]: value(item) for item in found}
            return values.get("x"), values.get("y")
        answer = self.client.transact_get_items(
            TransactItems=[{"Get": {"TableName": TABLE, "Key": self.key(pair, which)}} for which in (0, 1)])
        return tuple(value(each.get("Item")) for each in answer["Responses"])

    def swap(self, pair, which, new):
        answer = self.client.update_item(TableName=TABLE, Key=self.key(pair, which), UpdateExpression="SET v = :n",
                                         ExpressionAttributeValues={":n": {"S": new}}, ReturnValues="ALL_OLD")
        return value(answer.get("Attributes"))

    def cas(self, pair, which, expected, new):
        if new is None:
            self.client.delete_item(TableName=TABLE, Key=self.key(pair, which), **self.condition(expected))
        else:
            self.client.put_item(TableName=TABLE, Item={**self.key(pair, which), "v": {"S": new}}, **self.condition(expected))
        return True

    def move(self, pair, expected, new):
        self.request = {"ClientRequestToken": f"{self.number}-{self.count}", "TransactItems": [
            {"Put": {"TableName": TABLE, "Item": {**self.key(pair, which), "v": {"S": new[which]}},
                     **self.condition(expected[which])}} for which in (0, 1)]}
        self.client.transact_write_items(**self.request)
        return True


def value(item):
    return item["v"]["S"] if item else None


class Follower:
    """Reads the stream on and on, also over a restart, and never goes back."""

    def __init__(self, platform):
        self.client = platform.client("dynamodbstreams")
        stream = self.client.list_streams(TableName=TABLE)["Streams"][0]["StreamArn"]
        shard = self.client.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"][0]["ShardId"]
        self.iterator = self.client.get_shard_iterator(StreamArn=stream, ShardId=shard,
                                                       ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        self.records, self.stopping = [], False

    def run(self):
        last = False
        while not last:
            last = self.stopping
            try:
                answer = self.client.get_records(ShardIterator=self.iterator, Limit=50)
            except BotoCoreError:
                time.sleep(0.02)
                last = False
                continue
            self.records += answer["Records"]
            self.iterator = answer["NextShardIterator"]
            last = last and not answer["Records"]
            time.sleep(0.005)


def check_stream(records, histories, stored):
    now, written = {}, {}
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    assert numbers == sorted(set(numbers))
    for record in records:
        body = record["dynamodb"]
        name, old, new = name_of(body["Keys"]), value(body.get("OldImage")), value(body.get("NewImage"))
        assert old == now.get(name), f"{name}: a change was lost, repeated or out of order"
        assert old != new
        assert record["eventName"] == ("INSERT" if old is None else "REMOVE" if new is None else "MODIFY")
        now[name] = new
        if new is not None:
            written[name, new] = written.get((name, new), 0) + 1
    assert {name: v for name, v in now.items() if v is not None} == stored
    assert set(written.values()) <= {1}
    for pair, history in enumerate(histories):
        for op in history:
            if op["kind"] not in ("swap", "cas", "move"):
                continue
            values = enumerate(op["args"][1]) if op["kind"] == "move" else [(op["args"][0], op["args"][-1])]
            for which, new in values:
                if new is None or op["end"] == math.inf:
                    continue
                assert written.get((f"{pair}{'xy'[which]}", new), 0) == (op["result"] is not False), op


def elements(*keys):
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(keys, ("HASH", "RANGE"))]


def make_table(client, key):
    """Without a sort key and indexes; or with both, when the items of a pair share a partition."""
    names = list(key(0, 0))
    indexes = {}
    if len(names) == 2:
        everything = {"Projection": {"ProjectionType": "ALL"}}
        indexes = {"LocalSecondaryIndexes": [{"IndexName": "local", "KeySchema": elements("p", "v"), **everything}],
                   "GlobalSecondaryIndexes": [{"IndexName": "global", "KeySchema": elements("v"), **everything}]}
    client.create_table(
        TableName=TABLE, BillingMode="PAY_PER_REQUEST", KeySchema=elements(*names), **indexes,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names + ["v"] * bool(indexes)],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    return list(index["IndexName"] for group in indexes.values() for index in group)


@pytest.mark.parametrize("key", [plain_key, key_in_a_collection])
def test_histories_are_linearizable_and_the_stream_tells_them(binary, tmp_path, key):
    seed = int(os.environ.get("PARVIS_TEST_SEED", random.randrange(1 << 30)))
    print("PARVIS_TEST_SEED =", seed)
    choice = random.Random(seed)
    platform = Platform(binary, tmp_path, "--empty", "--sync", "always")
    try:
        indexes = make_table(platform.client("dynamodb"), key)
        follower = Follower(platform)
        following = threading.Thread(target=follower.run)
        following.start()
        workers = [Worker(platform, number, seed, key) for number in range(WORKERS)]
        for round_number in range(ROUNDS):
            threads = [threading.Thread(target=worker.run, args=(OPERATIONS,)) for worker in workers]
            for thread in threads:
                thread.start()
            if round_number < ROUNDS - 1:
                time.sleep(0.1 + choice.random() * 0.5)
                platform.kill()
            for thread in threads:
                thread.join()
            if round_number < ROUNDS - 1:
                platform.start()
        def scan(**of):
            return {name_of(item): value(item) for item in platform.client("dynamodb").scan(TableName=TABLE, **of)["Items"]}
        stored = scan()
        for index in indexes:
            assert scan(IndexName=index) == stored, f"{index} does not hold what the items hold"
        follower.stopping = True
        following.join()
        histories = [sum((worker.histories[pair] for worker in workers), []) for pair in range(PAIRS)]
        for pair, history in enumerate(histories):
            assert sum(op["end"] < math.inf for op in history) > 50
            assert linearizable(history), f"pair {pair}: no order explains {history}"
        check_stream(follower.records, histories, stored)
    finally:
        follower.stopping = True
        platform.stop()
