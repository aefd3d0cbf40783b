"""PartiQL through stock boto3; runs against any DynamoDB endpoint with --endpoint."""
import pytest
from botocore.exceptions import ClientError


def error_of(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]


@pytest.fixture
def execute(client):
    dynamodb = client("dynamodb")

    def run(statement, *parameters, **arguments):
        if parameters:
            arguments["Parameters"] = list(parameters)
        return dynamodb.execute_statement(Statement=statement, **arguments)
    return run


def test_items_of_every_type(execute, table):
    execute(f"""INSERT INTO "{table}" VALUE {{'p': 'a', 's': 1, 'text': 'it''s', 'n': -1.50, 'yes': true, 'nothing': null,
                'list': [1, 'x'], 'map': {{'deep': {{}}}}, 'words': <<'b', 'a'>>, 'numbers': <<2, 1>>, 'bytes': ?}}""", {"B": b"\x00"})
    [item] = execute(f"SELECT * FROM \"{table}\" WHERE p = 'a' AND s = 1")["Items"]
    assert item.pop("words")["SS"].sort() is None and item.pop("numbers")["NS"].sort() is None
    assert item == {"p": {"S": "a"}, "s": {"N": "1"}, "text": {"S": "it's"}, "n": {"N": "-1.5"}, "yes": {"BOOL": True},
                    "nothing": {"NULL": True}, "list": {"L": [{"N": "1"}, {"S": "x"}]}, "map": {"M": {"deep": {"M": {}}}},
                    "bytes": {"B": b"\x00"}}


def test_update_returns_what_is_asked_for(execute, table):
    execute(f"INSERT INTO \"{table}\" VALUE {{'p': 'a', 's': 1, 'n': 1, 'gone': 'x', 'tags': <<'a'>>, 'list': [1]}}")
    where = "WHERE p = 'a' AND s = 1"
    changed = execute(f"UPDATE \"{table}\" SET n = n + ? SET tags = set_add(tags, <<'b'>>) SET list = list_append(list, [2]) "
                      f"REMOVE gone {where} AND n = 1 RETURNING ALL NEW *", {"N": "2"})["Items"][0]
    assert changed["n"] == {"N": "3"} and sorted(changed["tags"]["SS"]) == ["a", "b"] and "gone" not in changed
    assert changed["list"] == {"L": [{"N": "1"}, {"N": "2"}]}
    assert execute(f"UPDATE \"{table}\" SET n = 5 {where} RETURNING MODIFIED OLD *")["Items"] == [{"n": {"N": "3"}}]
    assert execute(f"UPDATE \"{table}\" SET n = 6 {where}")["Items"] == []
    assert execute(f"DELETE FROM \"{table}\" {where} RETURNING ALL OLD *")["Items"][0]["n"] == {"N": "6"}
    assert execute(f"DELETE FROM \"{table}\" {where}")["Items"] == []


def test_failed_conditions_give_the_item(client, execute, table):
    execute(f"INSERT INTO \"{table}\" VALUE {{'p': 'a', 's': 1}}")
    with pytest.raises(ClientError) as caught:
        execute(f"UPDATE \"{table}\" SET v = 1 WHERE p = 'a' AND s = 1 AND v = 9", ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert caught.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert caught.value.response["Item"] == {"p": {"S": "a"}, "s": {"N": "1"}}


def test_select_pages_and_orders(execute, table):
    for s in range(6):
        execute(f"INSERT INTO \"{table}\" VALUE {{'p': 'a', 's': ?, 'even': ?}}", {"N": str(s)}, {"BOOL": s % 2 == 0})
    statement = f"SELECT s FROM \"{table}\" WHERE p = 'a' AND s > 0 AND even = ? ORDER BY s DESC"
    seen, token, pages = [], {}, 0
    while True:
        page = execute(statement, {"BOOL": True}, Limit=2, **token)
        seen += [int(item["s"]["N"]) for item in page["Items"]]
        pages += 1
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert seen == [4, 2] and pages == 3
    execute(f"INSERT INTO \"{table}\" VALUE {{'p': 'b', 's': 4}}")
    for either in ("p = 'a' OR p = 'b'", "p IN ['a', 'b']"):
        found = execute(f"SELECT p, s FROM \"{table}\" WHERE ({either}) AND s = 4")["Items"]
        assert sorted(item["p"]["S"] for item in found) == ["a", "b"]
    assert len(execute(f"SELECT * FROM \"{table}\" WHERE begins_with(p, 'a') AND even IS NOT MISSING")["Items"]) == 6


LEFTOVER = "Statement wasn't well formed, can't be processed: Unexpected token after expression"
NO_KEY = "Where clause does not contain a mandatory equality on all key attributes"


@pytest.mark.parametrize("statement, code, message", [
    ("SLECT 1", "ValidationException", "Statement wasn't well formed, can't be processed: Expected data manipulation"),
    ("SELECT * FROM \"{}\" WHERE p = 'a' foo", "ValidationException", LEFTOVER),
    ("SELECT * FROM \"{}\" x WHERE p = 'a'", "ValidationException", "Aliasing is not supported"),
    ("SELECT * FROM \"{}\" WHERE", "ValidationException", "Statement wasn't well formed, can't be processed: Unexpected term"),
    ("SELECT * FROM \"{}\" WHERE p = 1e126", "ValidationException",
     "Number overflow. Attempting to store a number with magnitude larger than supported range under root"),
    ("SELECT * FROM \"{}\".\"absent\" WHERE p = 'a'", "ValidationException", "The table does not have the specified index"),
    ("SELECT * FROM \"{}\".\"a\".\"b\"", "ValidationException", "A path may contain at most 2 components in the FROM clause"),
    ("SELECT * FROM \"{}-absent\" WHERE p = 'a'", "ResourceNotFoundException", "Requested resource not found"),
    ("UPDATE \"{}\" SET v = 1 WHERE p = 'a'", "ValidationException", NO_KEY),
    ("DELETE FROM \"{}\" WHERE s = 1", "ValidationException", NO_KEY),
    ("UPDATE \"{}\" SET v = 1 WHERE p = 'a' AND s = 1", "ConditionalCheckFailedException", "The conditional request failed"),
    ("DELETE FROM \"{}\" WHERE p = 'x' RETURNING ALL NEW *", "ValidationException",
     "Invalid returning clause: RETURNING ALL NEW *. Only RETURNING ALL OLD * is allowed in DELETE statements."),
    ("SELECT * FROM \"{}\" WHERE p = ?", "ValidationException", "Number of parameters in request and statement don't match."),
])
def test_wrong_statements(client, table, statement, code, message):
    error = error_of(client("dynamodb").execute_statement, Statement=statement.format(table))
    assert (error["Code"], error["Message"]) == (code, message)


def test_insert_of_a_key_that_is_there(client, execute, table):
    statement = f"INSERT INTO \"{table}\" VALUE {{'p': 'a', 's': 1}}"
    execute(statement)
    error = error_of(client("dynamodb").execute_statement, Statement=statement)
    assert (error["Code"], error["Message"]) == ("DuplicateItemException", "Duplicate primary key exists in table")


def test_batch_answers_each_statement(client, execute, table):
    execute(f"INSERT INTO \"{table}\" VALUE {{'p': 'a', 's': 1}}")
    answers = client("dynamodb").batch_execute_statement(Statements=[
        {"Statement": f"SELECT * FROM \"{table}\" WHERE p = ? AND s = 1", "Parameters": [{"S": "a"}]},
        {"Statement": f"SELECT * FROM \"{table}\" WHERE p = 'a'"},
        {"Statement": f"SELECT * FROM \"{table}\" WHERE p = 'b' AND s = 1"}])["Responses"]
    assert answers[0] == {"TableName": table, "Item": {"p": {"S": "a"}, "s": {"N": "1"}}}
    assert answers[1]["Error"] == {"Code": "ValidationError", "Message":
                                   "Select statements within BatchExecuteStatement must specify the primary key in the where clause."}
    assert "Item" not in answers[2] and "Error" not in answers[2]


def test_transactions(client, execute, table):
    dynamodb = client("dynamodb")
    insert = f"INSERT INTO \"{table}\" VALUE {{{{'p': '{{}}', 's': 1, 'v': 1}}}}"
    dynamodb.execute_transaction(TransactStatements=[{"Statement": insert.format("a")}, {"Statement": insert.format("b")}],
                                 ClientRequestToken="partiql-" + table[-20:])
    # The same token does nothing again.
    dynamodb.execute_transaction(TransactStatements=[{"Statement": insert.format("a")}, {"Statement": insert.format("b")}],
                                 ClientRequestToken="partiql-" + table[-20:])
    guard = f"EXISTS(SELECT * FROM \"{table}\" WHERE p = 'a' AND s = 1 AND v = {{}})"
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as caught:
        dynamodb.execute_transaction(TransactStatements=[{"Statement": f"DELETE FROM \"{table}\" WHERE p = 'b' AND s = 1"},
                                                         {"Statement": guard.format(2)}])
    assert [reason["Code"] for reason in caught.value.response["CancellationReasons"]] == ["None", "ConditionalCheckFailed"]
    answers = dynamodb.execute_transaction(TransactStatements=[
        {"Statement": f"SELECT p FROM \"{table}\" WHERE p = 'b' AND s = 1"},
        {"Statement": f"SELECT p FROM \"{table}\" WHERE p = 'c' AND s = 1"}])["Responses"]
    assert answers == [{"Item": {"p": {"S": "b"}}}, {}]
    error = error_of(dynamodb.execute_transaction, TransactStatements=[{"Statement": f"SELECT * FROM \"{table}\" WHERE"}])
    assert error["Message"] == ("Validation failed in TransactStatements[0]: Statement wasn't well formed, can't be processed: "
                                "Unexpected term")


def test_selects_from_indexes(client, execute, table):
    dynamodb = client("dynamodb")
    name = table + "-indexed"
    def keys(*names):
        return [{"AttributeName": n, "KeyType": kind} for n, kind in zip(names, ("HASH", "RANGE"))]
    dynamodb.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=keys("p", "s"),
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("p", "s", "g", "l")],
        GlobalSecondaryIndexes=[{"IndexName": "by_g", "KeySchema": keys("g"),
                                 "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["kept"]}}],
        LocalSecondaryIndexes=[{"IndexName": "by_l", "KeySchema": keys("p", "l"), "Projection": {"ProjectionType": "KEYS_ONLY"}}])
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    try:
        execute(f"INSERT INTO \"{name}\" VALUE {{'p': 'a', 's': '1', 'g': 'x', 'l': 'y', 'kept': 1, 'other': 2}}")
        found = execute(f"SELECT * FROM \"{name}\".\"by_g\" WHERE g = 'x' AND kept = 1", ReturnConsumedCapacity="INDEXES")
        assert found["Items"] == [{"p": {"S": "a"}, "s": {"S": "1"}, "g": {"S": "x"}, "kept": {"N": "1"}}]
        assert found["ConsumedCapacity"]["GlobalSecondaryIndexes"] == {"by_g": {"CapacityUnits": 0.5}}
        assert execute(f"SELECT l FROM \"{name}\".\"by_l\" WHERE p = 'a' AND l > 'a'")["Items"] == [{"l": {"S": "y"}}]

        def message(statement, **arguments):
            return error_of(dynamodb.execute_statement, Statement=statement, **arguments)["Message"]
        assert message(f"SELECT p FROM \"{name}\".\"by_g\" WHERE g = 'x' AND other = 2") == (
            "One or more parameter values were invalid: Secondary index by_g does not project one or more filter attributes: [other]")
        assert message(f"SELECT p FROM \"{name}\".\"by_l\" WHERE p = 'a' AND other = 2") == (
            "One or more parameter values were invalid: Secondary index by_l does not project one or more filter attributes: [other]")
        assert message(f"SELECT other FROM \"{name}\".\"by_g\" WHERE g = 'x'") == (
            "One or more parameter values were invalid: Global secondary index by_g does not project [other]")
        assert message(f"SELECT * FROM \"{name}\".\"by_g\" WHERE g = 'x'", ConsistentRead=True) == (
            "Strongly consistent read is not supported on Global Secondary Indexes")
        refused = error_of(dynamodb.execute_transaction,
                           TransactStatements=[{"Statement": f"SELECT * FROM \"{name}\".\"by_g\" WHERE g = 'x'"}])
        assert refused["Message"] == "Validation failed in TransactStatements[0]: Reads on indices are not supported within transactions."
    finally:
        dynamodb.delete_table(TableName=name)
