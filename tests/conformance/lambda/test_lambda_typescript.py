"""Packages whose handler is a TypeScript source, without a bundler."""
import json

import pytest
from lambda_support import ROLE, package

UTIL = "export enum Kind { Trip = 'trip', Hotel = 'hotel' }\nexport interface Named { name: string }\nexport function fail(): never {\n  throw new RangeError('in the source');\n}\n"
MAIN = """import { Kind, fail, type Named } from './lib/util';
import { readFileSync } from 'node:fs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';

class Holder<T extends Named> {
  constructor(private readonly item: T) {}
  get name(): string { return this.item.name; }
}
const start: number = await Promise.resolve(7);
export const handler = async (event: { fail?: boolean }): Promise<object> => {
  if (event.fail) fail();
  return { name: new Holder({ name: 'x' }).name, kind: Kind.Hotel, start, sdk: typeof DynamoDBClient, read: typeof readFileSync };
};
"""
WANT = {"name": "x", "kind": "hotel", "start": 7, "sdk": "function", "read": "function"}
COMMON = "const os: typeof import('os') = require('os');\nmodule.exports.handler = async (event: unknown): Promise<string> => typeof os.cpus;\n"


def call(functions, name, files, event, runtime="nodejs22.x", handler="app.handler"):
    functions.create_function(FunctionName=name, Runtime=runtime, Role=ROLE, Handler=handler, Code={"ZipFile": package(files)})
    try:
        got = functions.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail")
        return json.loads(got["Payload"].read())
    finally:
        functions.delete_function(FunctionName=name)


@pytest.mark.parametrize("name, files, handler, want", [
    ("ts", {"app.ts": MAIN, "lib/util.ts": UTIL}, "app.handler", WANT),
    ("mts", {"app.mts": MAIN.replace("./lib/util", "./lib/util.js"), "lib/util.ts": UTIL}, "app.handler", WANT),
    ("folder", {"src/app.ts": MAIN.replace("./lib/util", "../lib"), "lib/index.ts": UTIL}, "src/app.handler", WANT),
    ("common", {"app.cts": COMMON}, "app.handler", "function"),
    ("common-ts", {"app.ts": COMMON}, "app.handler", "function"),
    ("js-first", {"app.js": "exports.handler = async () => 'js';", "app.ts": MAIN}, "app.handler", "js")])
def test_it_runs(empty, name, files, handler, want):
    assert call(empty.client("lambda"), "typescript-" + name, files, {}, handler=handler) == want


def test_stack_traces_name_the_sources_lines(empty):
    failed = call(empty.client("lambda"), "typescript-trace", {"app.ts": MAIN, "lib/util.ts": UTIL}, {"fail": True})
    assert failed["errorType"] == "RangeError"
    trace = "\n".join(failed["trace"])
    assert "lib/util.ts:4:" in trace and "app.ts:11:" in trace, trace


def test_a_syntax_error_is_one(empty):
    failed = call(empty.client("lambda"), "typescript-syntax", {"app.ts": "export const handler = async (: string) => 1;"}, {})
    assert failed["errorType"] == "Runtime.UserCodeSyntaxError" and "app.ts" in failed["errorMessage"]


def test_an_old_major_says_what_to_do(empty, request):
    failed = call(empty.client("lambda"), "typescript-old", {"app.ts": "export const handler = async () => process.version;"}, {}, runtime="nodejs18.x")
    if isinstance(failed, str):
        pytest.skip("Node.js 18 is not installed (script/setup --runtimes)")
    assert failed["errorType"] == "Runtime.ImportModuleError" and "Use nodejs22.x or later" in failed["errorMessage"]
