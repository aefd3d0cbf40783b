"""Provisioned concurrency: configurations of versions and aliases, what runs in them, and what a template says."""
import concurrent.futures
import hashlib
import json
import time

import pytest

from lambda_support import fails, make, package

SOURCE = """const id = require('crypto').randomUUID();
exports.handler = async (event) => { if (event.exit) process.exit(1); await new Promise((done) => setTimeout(done, event.wait || 0));
  return { id, type: process.env.AWS_LAMBDA_INITIALIZATION_TYPE, version: process.env.AWS_LAMBDA_FUNCTION_VERSION }; };"""


@pytest.fixture
def functions(client):
    return client("lambda")


@pytest.fixture
def function(functions, request):
    """With versions 1 and 2, and the aliases live (1) and other (2)."""
    name = "p-" + hashlib.md5(request.node.name.encode()).hexdigest()[:10]
    make(functions, name, package(SOURCE), Publish=True)
    functions.update_function_code(FunctionName=name, ZipFile=package(SOURCE + "// two"), Publish=True)
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    functions.create_alias(FunctionName=name, Name="other", FunctionVersion="2")
    yield name
    functions.delete_function(FunctionName=name)


def put(functions, name, qualifier, count):
    return functions.put_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=count)


def settled(functions, name, qualifier, status="READY", seconds=30):
    end = time.monotonic() + seconds
    while (now := functions.get_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier))["Status"] != status:
        assert time.monotonic() < end, now
        time.sleep(0.05)
    return now


def at_once(functions, name, qualifier, count):
    def one(_):
        return json.load(functions.invoke(FunctionName=name, Qualifier=qualifier, Payload=b'{"wait":600}')["Payload"])
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_a_version_has_environments_before_its_first_call(functions, function):
    made = put(functions, function, "1", 2)
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert (made["Status"], made["RequestedProvisionedConcurrentExecutions"], made["AvailableProvisionedConcurrentExecutions"],
            made["AllocatedProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 2, 0, 0)
    assert made["LastModified"].endswith("+0000")
    now = settled(functions, function, "1")
    assert (now["RequestedProvisionedConcurrentExecutions"], now["AvailableProvisionedConcurrentExecutions"], now["AllocatedProvisionedConcurrentExecutions"]) == (2, 2, 2)
    assert now["LastModified"] == made["LastModified"] and "StatusReason" not in now
    answers = at_once(functions, function, "1", 3)
    assert sorted(a["type"] for a in answers) == ["on-demand", "provisioned-concurrency", "provisioned-concurrency"]
    assert len({a["id"] for a in answers}) == 3 and {a["version"] for a in answers} == {"1"}
    assert [a["type"] for a in at_once(functions, function, "2", 1)] == ["on-demand"]


def test_an_environment_that_ends_is_replaced(functions, function, request):
    put(functions, function, "live", 1)
    settled(functions, function, "live")
    first = at_once(functions, function, "live", 1)[0]
    functions.invoke(FunctionName=function, Qualifier="live", Payload=b'{"exit":true}')
    settled(functions, function, "live")
    second = at_once(functions, function, "1", 1)[0]
    assert first["type"] == second["type"] == "provisioned-concurrency" and first["id"] != second["id"]


def test_an_alias_takes_its_concurrency_along(functions, function):
    put(functions, function, "live", 1)
    settled(functions, function, "live")
    assert at_once(functions, function, "1", 1)[0]["type"] == "provisioned-concurrency"
    functions.update_alias(FunctionName=function, Name="live", FunctionVersion="2")
    settled(functions, function, "live")
    answer = at_once(functions, function, "live", 1)[0]
    assert (answer["type"], answer["version"]) == ("provisioned-concurrency", "2")
    assert at_once(functions, function, "1", 1)[0]["type"] == "on-demand"
    functions.update_alias(FunctionName=function, Name="live", RoutingConfig={"AdditionalVersionWeights": {"1": 0.5}})
    assert settled(functions, function, "live")["AllocatedProvisionedConcurrentExecutions"] == 2
    fails(functions.put_provisioned_concurrency_config, "InvalidParameterValueException", "Alias with weights can not be used with Provisioned Concurrency",
          FunctionName=function, Qualifier="live", ProvisionedConcurrentExecutions=2)
    functions.delete_alias(FunctionName=function, Name="live")
    assert at_once(functions, function, "2", 1)[0]["type"] == "on-demand"
    assert functions.list_provisioned_concurrency_configs(FunctionName=function)["ProvisionedConcurrencyConfigs"] == []


def test_lists_and_deletion(functions, function):
    put(functions, function, "live", 1)
    put(functions, function, "2", 1)
    listed = functions.list_provisioned_concurrency_configs(FunctionName=function)
    arns = [c["FunctionArn"] for c in listed["ProvisionedConcurrencyConfigs"]]
    assert sorted(a.split(function + ":")[1] for a in arns) == ["2", "live"] and "NextMarker" not in listed
    pages = functions.get_paginator("list_provisioned_concurrency_configs").paginate(FunctionName=function, PaginationConfig={"PageSize": 1})
    assert [c["FunctionArn"] for page in pages for c in page["ProvisionedConcurrencyConfigs"]] == arns
    put(functions, function, "live", 2)
    assert settled(functions, function, "live")["AllocatedProvisionedConcurrentExecutions"] == 2
    for _ in range(2):
        assert functions.delete_provisioned_concurrency_config(FunctionName=function, Qualifier="live")["ResponseMetadata"]["HTTPStatusCode"] == 204
    failed = fails(functions.get_provisioned_concurrency_config, "ProvisionedConcurrencyConfigNotFoundException", "No Provisioned Concurrency Config found for this function",
                   FunctionName=function, Qualifier="live")
    assert failed["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert at_once(functions, function, "1", 1)[0]["type"] == "on-demand"


REFUSED = [  # operation, qualifier, count, error, message
    ("put", "$LATEST", 1, "InvalidParameterValueException", "Provisioned Concurrency Configs cannot be applied to unpublished function versions."),
    ("get", "$LATEST", None, "InvalidParameterValueException", "The function resource provided must be an alias or a published version."),
    ("delete", "$LATEST", None, "InvalidParameterValueException", "The function resource provided must be an alias or a published version."),
    ("put", "9", 1, "ResourceNotFoundException", "Function not found: arn:aws:lambda:"),
    ("put", "nobody", 1, "ResourceNotFoundException", "Cannot find alias arn: arn:aws:lambda:"),
    ("get", "nobody", None, "ResourceNotFoundException", "Cannot find alias arn: arn:aws:lambda:"),
    ("get", "1", None, "ProvisionedConcurrencyConfigNotFoundException", "No Provisioned Concurrency Config found for this function"),
    ("put", "latest", 1, "InvalidParameterValueException", "cannot be applied to unpublished function versions."),
    ("put", "2", 1, "ResourceConflictException", "Version is pointed by a Provisioned Concurrency alias"),
    ("put", "twin", 1, "ResourceConflictException", "Version is pointed by a Provisioned Concurrency alias"),
    ("put", "1", 1001, "InvalidParameterValueException", "is greater than account's unreserved concurrency [1000]."),
    ("put", "1", 900, "InvalidParameterValueException", "decreases account's UnreservedConcurrentExecution below its minimum value of [100]."),
]


def test_errors(functions, function):
    functions.create_alias(FunctionName=function, Name="latest", FunctionVersion="$LATEST")
    functions.create_alias(FunctionName=function, Name="twin", FunctionVersion="2")
    put(functions, function, "other", 1)
    for operation, qualifier, count, code, message in REFUSED:
        count = {} if count is None else {"ProvisionedConcurrentExecutions": count}
        fails(getattr(functions, operation + "_provisioned_concurrency_config"), code, message, FunctionName=function, Qualifier=qualifier, **count)
    fails(functions.put_provisioned_concurrency_config, "ResourceNotFoundException", "Function not found: arn:aws:lambda:", FunctionName="nobody", Qualifier="1",
          ProvisionedConcurrentExecutions=1)
    fails(functions.list_provisioned_concurrency_configs, "ResourceNotFoundException", "Function not found: arn:aws:lambda:", FunctionName="nobody")
    put(functions, function, "1", 1)
    fails(functions.put_provisioned_concurrency_config, "ResourceConflictException", "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version",
          FunctionName=function, Qualifier="live", ProvisionedConcurrentExecutions=1)
    fails(functions.update_alias, "ResourceConflictException", "already Provisioned version", FunctionName=function, Name="other", FunctionVersion="1")
    fails(functions.update_alias, "InvalidParameterValueException", "unpublished function versions", FunctionName=function, Name="other", FunctionVersion="$LATEST")


def test_concurrency_is_taken_off_what_there_is(functions, function):
    free = functions.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    put(functions, function, "1", 2)
    assert functions.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == free - 2
    fails(functions.put_function_concurrency, "InvalidParameterValueException", "should not be lower than function's total provisioned concurrency [2].",
          FunctionName=function, ReservedConcurrentExecutions=1)
    functions.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=3)
    assert functions.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == free - 3
    fails(functions.put_provisioned_concurrency_config, "InvalidParameterValueException", "should not be greater than the reservedConcurrentExecution for function",
          FunctionName=function, Qualifier="2", ProvisionedConcurrentExecutions=2)
    put(functions, function, "2", 1)


def test_what_cannot_be_initialised_is_told(functions):
    make(functions, "p-broken", package("throw new Error('not today');"), Publish=True)
    put(functions, "p-broken", "1", 1)
    now = settled(functions, "p-broken", "1", "FAILED")
    assert (now["StatusReason"], now["AllocatedProvisionedConcurrentExecutions"]) == ("FUNCTION_ERROR_INIT_FAILURE", 0)
    functions.delete_function(FunctionName="p-broken")


def template(source, count, provisioned="Alias"):
    code = {"ZipFile": source}
    function = {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "p-stack", "Runtime": "nodejs22.x", "Handler": "index.handler",
                                                                "Role": "arn:aws:iam::111122223333:role/r", "Code": code}}
    number = hashlib.md5(source.encode()).hexdigest()[:8]
    version = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "F"}, "Description": number}}
    alias = {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "F"}, "Name": "live", "FunctionVersion": {"Fn::GetAtt": ["V" + number, "Version"]}}}
    if count:
        (alias if provisioned == "Alias" else version)["Properties"]["ProvisionedConcurrencyConfig"] = {"ProvisionedConcurrentExecutions": count}
    return json.dumps({"Resources": {"F": function, "V" + number: version, "A": alias}})


@pytest.mark.parametrize("provisioned", ["Alias", "Version"])
def test_templates(client, provisioned):
    functions, stacks = client("lambda"), client("cloudformation")
    stack = "provisioned-" + provisioned.lower()
    qualifier = "live" if provisioned == "Alias" else "1"
    stacks.create_stack(StackName=stack, TemplateBody=template(SOURCE, 1, provisioned))
    stacks.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    now = functions.get_provisioned_concurrency_config(FunctionName="p-stack", Qualifier=qualifier)
    assert (now["Status"], now["AllocatedProvisionedConcurrentExecutions"]) == ("READY", 1), "the stack has waited for it"
    assert at_once(functions, "p-stack", "live", 1)[0]["type"] == "provisioned-concurrency"
    if provisioned == "Alias":
        stacks.update_stack(StackName=stack, TemplateBody=template(SOURCE + "//2", 2))
        stacks.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        assert functions.get_provisioned_concurrency_config(FunctionName="p-stack", Qualifier="live")["AllocatedProvisionedConcurrentExecutions"] == 2
        assert at_once(functions, "p-stack", "live", 1)[0]["type"] == "provisioned-concurrency"
        stacks.update_stack(StackName=stack, TemplateBody=template("throw new Error('not today');", 2))
        with pytest.raises(Exception):
            stacks.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        reasons = [e.get("ResourceStatusReason", "") for e in stacks.describe_stack_events(StackName=stack)["StackEvents"]]
        assert any("Provisioned Concurrency configuration failed to be applied. Reason: FUNCTION_ERROR_INIT_FAILURE" in r for r in reasons), reasons
        assert at_once(functions, "p-stack", "live", 1)[0]["type"] == "provisioned-concurrency", "the update was rolled back"
        stacks.update_stack(StackName=stack, TemplateBody=template(SOURCE + "//2", 0))
        stacks.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        fails(functions.get_provisioned_concurrency_config, "ProvisionedConcurrencyConfigNotFoundException", "", FunctionName="p-stack", Qualifier="live")
    stacks.delete_stack(StackName=stack)
    stacks.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
