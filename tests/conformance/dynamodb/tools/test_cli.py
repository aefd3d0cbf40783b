"""The AWS CLI's everyday flow with a table; runs against any DynamoDB endpoint with --endpoint."""
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[4]


def test_an_evening_at_the_command_line(client, tmp_path):
    session = client("dynamodb")
    credentials = session._request_signer._credentials.get_frozen_credentials()
    tools = pathlib.Path(os.environ.get("PARVIS_TOOLS", ROOT / "build/tools"))
    environment = {**os.environ, "AWS_DEFAULT_REGION": session.meta.region_name, "AWS_ACCESS_KEY_ID": credentials.access_key,
                   "AWS_SECRET_ACCESS_KEY": credentials.secret_key, "AWS_PAGER": "", "AWS_EC2_METADATA_DISABLED": "true"}
    name = "cli-table"

    def aws(*arguments, fails=False):
        done = subprocess.run([tools / "test/bin/aws", "--endpoint-url", session.meta.endpoint_url, "--output", "json", "dynamodb", *arguments],
                              capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120)
        assert (done.returncode != 0) == fails, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else done.stderr

    aws("create-table", "--table-name", name, "--billing-mode", "PAY_PER_REQUEST", "--key-schema", "AttributeName=p,KeyType=HASH",
        "AttributeName=s,KeyType=RANGE", "--attribute-definitions", "AttributeName=p,AttributeType=S", "AttributeName=s,AttributeType=N")
    aws("wait", "table-exists", "--table-name", name)
    try:
        for s in range(3):
            aws("put-item", "--table-name", name, "--item", json.dumps({"p": {"S": "a"}, "s": {"N": str(s)}, "b": {"L": [{"BOOL": True}, {"S": "é"}]}}))
        assert aws("get-item", "--table-name", name, "--key", '{"p": {"S": "a"}, "s": {"N": "1"}}')["Item"]["b"] == {"L": [{"BOOL": True}, {"S": "é"}]}
        answer = aws("update-item", "--table-name", name, "--key", '{"p": {"S": "a"}, "s": {"N": "1"}}', "--update-expression", "ADD n :n",
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
        refused = aws("put-item", "--table-name", name, "--item", '{"p": {"S": "a"}, "s": {"N": "1"}}', "--condition-expression",
                      "attribute_not_exists(p)", fails=True)
        assert "ConditionalCheckFailedException" in refused
        aws("delete-item", "--table-name", name, "--key", '{"p": {"S": "a"}, "s": {"N": "1"}}')
        assert aws("execute-statement", "--statement", f"SELECT s FROM \"{name}\" WHERE p = 'a'")["Items"] == [{"s": {"N": "0"}}, {"s": {"N": "2"}}]
        assert name in aws("list-tables")["TableNames"]
    finally:
        aws("delete-table", "--table-name", name)
    aws("wait", "table-not-exists", "--table-name", name)
