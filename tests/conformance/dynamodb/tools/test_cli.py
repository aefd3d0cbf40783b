"""The AWS CLI's everyday flow with a table; runs against any DynamoDB endpoint with --endpoint."""
import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[4]
KEY = '{"p": {"S": "a"}, "s": {"N": "1"}}'


@pytest.fixture
def aws(client, tmp_path):
    session = client("dynamodb")
    credentials = session._request_signer._credentials.get_frozen_credentials()
    tools = pathlib.Path(os.environ.get("PARVIS_TOOLS", ROOT / "build/tools"))
    environment = {**os.environ, "AWS_DEFAULT_REGION": session.meta.region_name, "AWS_ACCESS_KEY_ID": credentials.access_key,
                   "AWS_SECRET_ACCESS_KEY": credentials.secret_key, "AWS_PAGER": "", "AWS_EC2_METADATA_DISABLED": "true"}

    def call(*arguments, fails=False):
        done = subprocess.run([tools / "test/bin/aws", "--endpoint-url", session.meta.endpoint_url, "--output", "json", "dynamodb", *arguments],
                              capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120)
        assert (done.returncode != 0) == fails, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else done.stderr
    return call


@pytest.fixture
def name(aws):
    name = "cli-table"
    aws("create-table", "--table-name", name, "--billing-mode", "PAY_PER_REQUEST", "--key-schema", "AttributeName=p,KeyType=HASH",
        "AttributeName=s,KeyType=RANGE", "--attribute-definitions", "AttributeName=p,AttributeType=S", "AttributeName=s,AttributeType=N")
    aws("wait", "table-exists", "--table-name", name)
    yield name
    aws("delete-table", "--table-name", name)
    aws("wait", "table-not-exists", "--table-name", name)


def test_an_evening_at_the_command_line(aws, name):
    for s in range(3):
        aws("put-item", "--table-name", name, "--item", json.dumps({"p": {"S": "a"}, "s": {"N": str(s)}, "b": {"L": [{"BOOL": True}, {"S": "é"}]}}))
    assert aws("get-item", "--table-name", name, "--key", KEY)["Item"]["b"] == {"L": [{"BOOL": True}, {"S": "é"}]}
    answer = aws("update-item", "--table-name", name, "--key", KEY, "--update-expression", "ADD n :n",
                 "--expression-attribute-values", '{":n": {"N": "5"}}', "--return-values", "UPDATED_NEW")
    assert answer == {"Attributes": {"n": {"N": "5"}}}
    # The CLI's own paging: two items, then one.
    rows = aws("query", "--table-name", name, "--key-condition-expression", "p = :p", "--expression-attribute-values", '{":p": {"S": "a"}}',
               "--page-size", "2")
    assert [row["s"]["N"] for row in rows["Items"]] == ["0", "1", "2"]
    first = aws("scan", "--table-name", name, "--max-items", "1")
    assert len(first["Items"]) == 1
    rest = aws("scan", "--table-name", name, "--starting-token", first["NextToken"])
    assert len(rest["Items"]) == 2
    refused = aws("put-item", "--table-name", name, "--item", KEY, "--condition-expression", "attribute_not_exists(p)", fails=True)
    assert "ConditionalCheckFailedException" in refused
    aws("delete-item", "--table-name", name, "--key", KEY)
    assert aws("execute-statement", "--statement", f"SELECT s FROM \"{name}\" WHERE p = 'a'")["Items"] == [{"s": {"N": "0"}}, {"s": {"N": "2"}}]
    assert name in aws("list-tables")["TableNames"]


def test_requests_from_files(aws, name, tmp_path):
    """--cli-input-json, an index by update-table, batches and transactions."""
    def with_file(operation, request):
        (tmp_path / "request.json").write_text(json.dumps(request))
        return aws(operation, "--cli-input-json", "file://request.json")

    put = {"TableName": name, "Item": {"p": {"S": "a"}, "s": {"N": "1"}, "kind": {"S": "k"}}, "ReturnValues": "ALL_OLD"}
    assert "Attributes" not in (with_file("put-item", put) or {})
    assert with_file("put-item", put)["Attributes"] == put["Item"]
    with_file("update-table", {"TableName": name, "AttributeDefinitions": [{"AttributeName": "kind", "AttributeType": "S"}],
                               "GlobalSecondaryIndexUpdates": [{"Create": {"IndexName": "by_kind", "Projection": {"ProjectionType": "ALL"},
                                                                           "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}]}}]})
    while aws("describe-table", "--table-name", name)["Table"]["GlobalSecondaryIndexes"][0]["IndexStatus"] != "ACTIVE":
        pass
    found = aws("query", "--table-name", name, "--index-name", "by_kind", "--key-condition-expression", "kind = :k", "--expression-attribute-values",
                '{":k": {"S": "k"}}', "--select", "COUNT")
    assert found["Count"] == 1
    left = with_file("batch-write-item", {"RequestItems": {name: [{"PutRequest": {"Item": {"p": {"S": "b"}, "s": {"N": str(s)}}}} for s in range(25)]}})
    assert left["UnprocessedItems"] == {}
    with_file("transact-write-items", {"TransactItems": [{"Delete": {"TableName": name, "Key": json.loads(KEY)}},
                                                         {"Put": {"TableName": name, "Item": {"p": {"S": "c"}, "s": {"N": "0"}}}}]})
    read = with_file("transact-get-items", {"TransactItems": [{"Get": {"TableName": name, "Key": {"p": {"S": "c"}, "s": {"N": "0"}}}},
                                                              {"Get": {"TableName": name, "Key": json.loads(KEY)}}]})
    assert [bool(each.get("Item")) for each in read["Responses"]] == [True, False]
    assert aws("scan", "--table-name", name, "--select", "COUNT", "--page-size", "7")["Count"] == 26
