"""Asynchronous calls: configuration, retries, destinations; and the settings of a function that stand beside its configuration."""
import json
import time

import pytest

from lambda_support import ROLE, answer, call, fails, make, package


@pytest.fixture
def functions(client):
    return client("lambda")


def test_event_invoke_config(functions):
    make(functions, "events-config", answer("x"), Publish=True)
    make(functions, "events-target", answer("y"))
    target = functions.get_function_configuration(FunctionName="events-target")["FunctionArn"]
    name = {"FunctionName": "events-config"}
    fails(functions.get_function_event_invoke_config, "ResourceNotFoundException", "doesn't have an EventInvokeConfig", **name)
    fails(functions.put_function_event_invoke_config, "InvalidParameterValueException", "You must specify at least one", **name)
    fails(functions.update_function_event_invoke_config, "ResourceNotFoundException", "", MaximumRetryAttempts=1, **name)
    made = functions.put_function_event_invoke_config(MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": target}}, **name)
    assert made["FunctionArn"].endswith(":events-config:$LATEST") and made["MaximumRetryAttempts"] == 1 and "MaximumEventAgeInSeconds" not in made
    changed = functions.update_function_event_invoke_config(MaximumEventAgeInSeconds=60, **name)
    assert (changed["MaximumRetryAttempts"], changed["MaximumEventAgeInSeconds"]) == (1, 60)
    assert changed["DestinationConfig"]["OnFailure"]["Destination"] == target
    functions.put_function_event_invoke_config(MaximumRetryAttempts=0, Qualifier="1", **name)
    listed = functions.list_function_event_invoke_configs(**name)["FunctionEventInvokeConfigs"]
    assert sorted(c["FunctionArn"].rsplit(":", 1)[1] for c in listed) == ["$LATEST", "1"]
    own = functions.get_function_configuration(**name)["FunctionArn"]
    fails(functions.put_function_event_invoke_config, "InvalidParameterValueException", "destination for itself", DestinationConfig={"OnSuccess": {"Destination": own}}, **name)
    fails(functions.put_function_event_invoke_config, "InvalidParameterValueException", "invalid", DestinationConfig={"OnSuccess": {"Destination": target + "-none"}}, **name)
    fails(functions.put_function_event_invoke_config, "ResourceNotFoundException", "The function doesn't exist", FunctionName="none", MaximumRetryAttempts=0)
    functions.delete_function_event_invoke_config(**name)
    fails(functions.delete_function_event_invoke_config, "ResourceNotFoundException", "", **name)
    for each in ("events-config", "events-target"):
        functions.delete_function(FunctionName=each)


def test_other_destinations_are_refused_by_name(functions, request):
    if request.config.getoption("--endpoint"):
        pytest.skip("a limit of this platform")
    make(functions, "events-queue", answer("x"))
    fails(functions.put_function_event_invoke_config, "InvalidParameterValueException", "only Lambda functions", FunctionName="events-queue",
          DestinationConfig={"OnFailure": {"Destination": "arn:aws:sqs:eu-west-1:111122223333:queue"}})
    functions.delete_function(FunctionName="events-queue")


# Writes each event into the table that the test reads.
KEEPER = """const { DynamoDBClient, PutItemCommand } = require('@aws-sdk/client-dynamodb');
const client = new DynamoDBClient({});
exports.handler = async (event) => client.send(new PutItemCommand({
  TableName: process.env.TABLE, Item: { p: { S: 'seen' }, s: { N: String(Date.now()) }, event: { S: JSON.stringify(event) } } }));"""


def wait_for(dynamodb, table, count):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = dynamodb.query(TableName=table, KeyConditionExpression="p = :p", ExpressionAttributeValues={":p": {"S": "seen"}}, ConsistentRead=True)["Items"]
        if len(found) >= count:
            return [json.loads(item["event"]["S"]) for item in found]
        time.sleep(0.1)
    pytest.fail("no destination was called")


def test_destinations(functions, client, table):
    dynamodb = client("dynamodb")
    make(functions, "keeper", package(KEEPER), Timeout=20, Environment={"Variables": {"TABLE": table}})
    keeper = functions.get_function_configuration(FunctionName="keeper")["FunctionArn"]
    make(functions, "events-source", package("exports.handler = async (event) => { if (event.fail) throw new Error('boom'); return { done: event.n }; };"), Publish=True)
    both = {"OnSuccess": {"Destination": keeper}, "OnFailure": {"Destination": keeper}}
    functions.put_function_event_invoke_config(FunctionName="events-source", MaximumRetryAttempts=0, DestinationConfig=both)
    assert functions.invoke(FunctionName="events-source", InvocationType="Event", Payload=b'{"n":5}')["StatusCode"] == 202
    success = wait_for(dynamodb, table, 1)[0]
    assert success["version"] == "1.0" and success["requestPayload"] == {"n": 5} and success["responsePayload"] == {"done": 5}
    assert success["requestContext"]["condition"] == "Success" and success["requestContext"]["functionArn"].endswith(":events-source:$LATEST")
    assert success["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    functions.invoke(FunctionName="events-source", InvocationType="Event", Payload=b'{"fail":true}')
    failure = wait_for(dynamodb, table, 2)[1]
    assert failure["requestContext"]["condition"] == "RetriesExhausted" and failure["requestContext"]["approximateInvokeCount"] == 1
    assert failure["responseContext"]["functionError"] == "Unhandled" and failure["responsePayload"]["errorMessage"] == "boom"
    for each in ("keeper", "events-source"):
        functions.delete_function(FunctionName=each)


def test_invoke_async_and_dry_run(functions):
    make(functions, "old-style", answer("x"))
    assert functions.invoke_async(FunctionName="old-style", InvokeArgs=b"{}")["Status"] == 202
    fails(functions.invoke_async, "ResourceNotFoundException", "Function not found", FunctionName="none", InvokeArgs=b"{}")
    assert functions.invoke(FunctionName="old-style", InvocationType="DryRun")["StatusCode"] == 204
    fails(functions.invoke, "InvalidRequestContentException", "Could not parse request body into json", FunctionName="old-style", InvocationType="Event", Payload=b"{oops")
    fails(functions.invoke, "RequestTooLargeException", "", FunctionName="old-style", Payload=b'"' + b"x" * (6 << 20) + b'"')
    functions.delete_function(FunctionName="old-style")


def test_reserved_concurrency(functions):
    make(functions, "reserved", package("exports.handler = async (e) => { await new Promise((go) => setTimeout(go, e.ms || 0)); return 1; };"), Publish=True)
    functions.put_function_concurrency(FunctionName="reserved", ReservedConcurrentExecutions=0)
    answer_ = fails(functions.invoke, "TooManyRequestsException", "Rate Exceeded", FunctionName="reserved")
    assert answer_["ResponseMetadata"]["HTTPStatusCode"] == 429 and answer_["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    fails(functions.invoke, "TooManyRequestsException", "", FunctionName="reserved", Qualifier="1")
    assert functions.get_function(FunctionName="reserved")["Concurrency"]["ReservedConcurrentExecutions"] == 0
    fails(functions.put_function_concurrency, "InvalidParameterValueException", "below its minimum value of [100]", FunctionName="reserved", ReservedConcurrentExecutions=901)
    functions.delete_function_concurrency(FunctionName="reserved")
    assert functions.invoke(FunctionName="reserved")["StatusCode"] == 200
    functions.delete_function(FunctionName="reserved")


def test_recursion(functions, request):
    if request.config.getoption("--endpoint"):
        pytest.skip("the function calls without a signature")
    # As the SDKs of Lambda's runtimes do: the trace header of this call goes with the next one.
    make(functions, "loop", package("""exports.handler = async (event) => {
        if (event.depth >= 20) return { depth: event.depth };
        const answer = await fetch(process.env.AWS_ENDPOINT_URL + '/2015-03-31/functions/loop/invocations', {
          method: 'POST', body: JSON.stringify({ depth: event.depth + 1 }), headers: { 'X-Amzn-Trace-Id': process.env._X_AMZN_TRACE_ID,
            Authorization: 'AWS4-HMAC-SHA256 Credential=' + process.env.AWS_ACCESS_KEY_ID + '/20260101/' + process.env.AWS_REGION + '/lambda/aws4_request, SignedHeaders=host, Signature=0' } });
        if (answer.status !== 200) return { depth: event.depth, stopped: answer.headers.get('x-amzn-errortype') };
        return answer.json();
      };"""), Timeout=60)
    assert functions.get_function_recursion_config(FunctionName="loop")["RecursiveLoop"] == "Terminate"
    got = call(functions, "loop", {"depth": 1})
    assert got["stopped"].startswith("RecursiveInvocationException") and 15 <= got["depth"] <= 17, got
    functions.put_function_recursion_config(FunctionName="loop", RecursiveLoop="Allow")
    assert call(functions, "loop", {"depth": 1})["depth"] == 20
    functions.delete_function(FunctionName="loop")


def test_runtime_management(functions):
    make(functions, "managed", answer("x"))
    assert functions.get_runtime_management_config(FunctionName="managed")["UpdateRuntimeOn"] == "Auto"
    functions.put_runtime_management_config(FunctionName="managed", UpdateRuntimeOn="FunctionUpdate")
    assert functions.get_runtime_management_config(FunctionName="managed")["UpdateRuntimeOn"] == "FunctionUpdate"
    functions.delete_function(FunctionName="managed")


def test_what_is_not_there_is_refused_by_name(functions, request):
    if request.config.getoption("--endpoint"):
        pytest.skip("limits of this platform")
    make(functions, "refusals", answer("x"))
    name = {"FunctionName": "refusals"}
    for operation, arguments in [("create_code_signing_config", {"AllowedPublishers": {"SigningProfileVersionArns": ["arn:aws:signer:eu-west-1:111122223333:/signing-profiles/x/1"]}}),
                                 ("put_function_scaling_config", {**name, "Qualifier": "1"}), ("list_event_source_mappings", {})]:
        answer_ = fails(getattr(functions, operation), "NotImplemented", "Parvis does not implement lambda:", **arguments)
        assert answer_["ResponseMetadata"]["HTTPStatusCode"] == 501
    base = {"Runtime": "nodejs22.x", "Role": ROLE, "Handler": "index.handler", "FunctionName": "refused"}
    code = {"ZipFile": answer("x")}
    for more, part in [({"Code": {"ImageUri": "x"}, "PackageType": "Image"}, "Container images"), ({"Code": code, "VpcConfig": {"SubnetIds": ["subnet-1"]}}, "VpcConfig"),
                       ({"Code": code, "SnapStart": {"ApplyOn": "PublishedVersions"}}, "not supported for SnapStart")]:
        fails(functions.create_function, "InvalidParameterValueException", part, **base, **more)
    functions.delete_function(**name)
