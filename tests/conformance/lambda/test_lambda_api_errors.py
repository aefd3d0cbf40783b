"""What the operations answer when something is not there or not allowed. Error texts: as AWS gave them when other implementations
recorded its answers, where a row does not say that they are ours."""
import json

import pytest

from lambda_support import answer, fails, make

ACCOUNT = "arn:aws:lambda:eu-west-1:111122223333:function:"
SIGNING = "arn:aws:lambda:eu-west-1:111122223333:code-signing-config:csc-0123456789abcdef0"
NOBODY = {"FunctionName": "nobody"}
NONE = ("ResourceNotFoundException", f"Function not found: {ACCOUNT}nobody")
NO_SIGNING = ("ResourceNotFoundException", f"The Lambda code signing configuration {SIGNING} can not be found.")
MISMATCH = ("InvalidParameterValueException", "The derived qualifier from the function name does not match the specified qualifier.")


@pytest.fixture
def functions(client):
    return client("lambda")


@pytest.fixture(scope="module")
def one(client):
    functions = client("lambda")
    make(functions, "errors", answer("x"), Publish=True)
    functions.create_alias(FunctionName="errors", Name="live", FunctionVersion="1")
    yield "errors"
    functions.delete_function(FunctionName="errors")


ONE = {"FunctionName": "errors"}
ROWS = [
    ("get_function", NOBODY, *NONE), ("get_function_configuration", NOBODY, *NONE), ("delete_function", NOBODY, *NONE), ("invoke", NOBODY, *NONE),
    ("update_function_configuration", NOBODY, *NONE), ("publish_version", NOBODY, *NONE), ("list_versions_by_function", NOBODY, *NONE), ("list_aliases", NOBODY, *NONE),
    ("get_function_concurrency", NOBODY, *NONE), ("delete_function_concurrency", NOBODY, *NONE), ("put_function_concurrency", {**NOBODY, "ReservedConcurrentExecutions": 1}, *NONE),
    ("get_function_recursion_config", NOBODY, *NONE), ("put_function_recursion_config", {**NOBODY, "RecursiveLoop": "Allow"}, *NONE),
    ("get_runtime_management_config", NOBODY, "ResourceNotFoundException", f"Function not found: {ACCOUNT}nobody"),
    ("list_provisioned_concurrency_configs", NOBODY, *NONE),
    ("create_function_url_config", {**NOBODY, "AuthType": "NONE"}, "ResourceNotFoundException", "not exist"),
    ("get_function_url_config", ONE, "ResourceNotFoundException", "The resource you requested does not exist."),
    ("get_policy", ONE, "ResourceNotFoundException", "The resource you requested does not exist."),
    ("remove_permission", {**ONE, "StatementId": "s"}, "ResourceNotFoundException", "No policy is associated with the given resource."),
    ("get_function", {"FunctionName": "errors:1", "Qualifier": "2"}, *MISMATCH),
    # Code signing.
    ("get_function_code_signing_config", NOBODY, *NONE), ("delete_function_code_signing_config", NOBODY, *NONE),
    ("put_function_code_signing_config", {**ONE, "CodeSigningConfigArn": SIGNING}, "CodeSigningConfigNotFoundException",
     f"The code signing configuration cannot be found. Check that the provided configuration is not deleted: {SIGNING}."),
    ("put_function_code_signing_config", {**NOBODY, "CodeSigningConfigArn": SIGNING}, "CodeSigningConfigNotFoundException", "cannot be found"),
    ("get_code_signing_config", {"CodeSigningConfigArn": SIGNING}, *NO_SIGNING), ("delete_code_signing_config", {"CodeSigningConfigArn": SIGNING}, *NO_SIGNING),
    ("update_code_signing_config", {"CodeSigningConfigArn": SIGNING}, *NO_SIGNING), ("list_functions_by_code_signing_config", {"CodeSigningConfigArn": SIGNING}, *NO_SIGNING),
    # Tags.
    ("tag_resource", {"Resource": ACCOUNT + "nobody", "Tags": {"a": "b"}}, *NONE), ("list_tags", {"Resource": ACCOUNT + "nobody"}, *NONE),
    ("tag_resource", {"Resource": ACCOUNT + "errors:1", "Tags": {"a": "b"}}, "InvalidParameterValueException",
     "Tags on function aliases and versions are not supported. Please specify a function ARN."),
    ("untag_resource", {"Resource": ACCOUNT + "errors:live", "TagKeys": ["a"]}, "InvalidParameterValueException", "Please specify a function ARN."),
    ("list_tags", {"Resource": ACCOUNT + "errors:1"}, "InvalidParameterValueException", "Please specify a function ARN."),
    ("tag_resource", {"Resource": "arn:aws:something", "Tags": {"a": "b"}}, "ValidationException", "'resource' failed to satisfy constraint"),
    # Event invoke configurations.
    ("put_function_event_invoke_config", {**NOBODY, "MaximumRetryAttempts": 1}, "ResourceNotFoundException", "The function doesn't exist."),
    ("put_function_event_invoke_config", {**ONE, "Qualifier": "nobody", "MaximumRetryAttempts": 1}, "ResourceNotFoundException", "The function doesn't exist."),
    ("put_function_event_invoke_config", ONE, "InvalidParameterValueException", "You must specify at least one of error handling or destination setting."),
    ("put_function_event_invoke_config", {"FunctionName": "errors:live", "Qualifier": "1", "MaximumRetryAttempts": 1}, *MISMATCH),
    ("update_function_event_invoke_config", {**NOBODY, "MaximumRetryAttempts": 1}, "ResourceNotFoundException", "The function doesn't exist."),
    ("update_function_event_invoke_config", {**ONE, "MaximumRetryAttempts": 1}, "ResourceNotFoundException", f"The function {ACCOUNT}errors:$LATEST doesn't have an EventInvokeConfig"),
    ("get_function_event_invoke_config", NOBODY, "ResourceNotFoundException", f"The function {ACCOUNT}nobody:$LATEST doesn't have an EventInvokeConfig"),
    ("get_function_event_invoke_config", {**ONE, "Qualifier": "nobody"}, "ResourceNotFoundException", f"The function {ACCOUNT}errors:nobody doesn't have an EventInvokeConfig"),
    ("delete_function_event_invoke_config", ONE, "ResourceNotFoundException", f"The function {ACCOUNT}errors:$LATEST doesn't have an EventInvokeConfig"),
    ("list_function_event_invoke_configs", NOBODY, "ResourceNotFoundException", "The function doesn't exist."),
    # Aliases and versions.
    ("create_alias", {**NOBODY, "Name": "a", "FunctionVersion": "1"}, "ResourceNotFoundException", f"Function not found: {ACCOUNT}nobody"),
    ("create_alias", {**ONE, "Name": "a", "FunctionVersion": "10"}, "ResourceNotFoundException", f"Function not found: {ACCOUNT}errors:10"),
    ("create_alias", {**ONE, "Name": "a", "FunctionVersion": "$LATEST", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}}, "InvalidParameterValueException",
     "$LATEST is not supported for an alias pointing to more than 1 version"),
    ("create_alias", {**ONE, "Name": "a", "FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}}, "InvalidParameterValueException",
     "Invalid function version 1. Function version 1 is already included in routing configuration."),
    ("get_alias", {**ONE, "Name": "nobody"}, "ResourceNotFoundException", f"Cannot find alias arn: {ACCOUNT}errors:nobody"),
    ("update_alias", {**ONE, "Name": "nobody"}, "ResourceNotFoundException", f"Cannot find alias arn: {ACCOUNT}errors:nobody"),
    # What is not here, in words of ours.
    ("put_function_scaling_config", {**ONE, "Qualifier": "1"}, "NotImplemented", "lambda:PutFunctionScalingConfig"),
    ("get_function_scaling_config", {**ONE, "Qualifier": "1"}, "NotImplemented", "lambda:GetFunctionScalingConfig"),
    ("list_capacity_providers", {}, "NotImplemented", "lambda:ListCapacityProviders"),
    ("put_runtime_management_config", {**ONE, "UpdateRuntimeOn": "Manual", "RuntimeVersionArn": "arn:aws:lambda:eu-west-1::runtime:" + "0" * 64}, "InvalidParameterValueException",
     "is not available on this platform"),
    ("put_runtime_management_config", {**ONE, "UpdateRuntimeOn": "Manual"}, "InvalidParameterValueException", "RuntimeVersionArn is required"),
    ("put_runtime_management_config", {**ONE, "Qualifier": "live", "UpdateRuntimeOn": "Auto"}, "InvalidParameterValueException", "not for an alias"),
    ("update_function_code", {**ONE, "ImageUri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/x:1"}, "InvalidParameterValueException", "ImageUri is not available on this platform yet: use a Zip package"),
]


@pytest.mark.parametrize("operation, arguments, code, message", ROWS, ids=[f"{number}-{row[0]}" for number, row in enumerate(ROWS)])
def test_errors(functions, one, operation, arguments, code, message, request):
    if code == "NotImplemented" and request.config.getoption("--endpoint"):
        pytest.skip("a limit of this platform")
    failed = fails(getattr(functions, operation), code, message, **arguments)
    status = {"NotImplemented": 501, "ResourceNotFoundException": 404, "CodeSigningConfigNotFoundException": 404, "ResourceConflictException": 409}.get(code, 400)
    assert failed["ResponseMetadata"]["HTTPStatusCode"] == status


def test_the_runtimes_version_can_be_named(functions, one):
    version = functions.get_function_configuration(FunctionName=one)["RuntimeVersionConfig"]["RuntimeVersionArn"]
    assert version.startswith("arn:aws:lambda:eu-west-1::runtime:") and functions.get_function(FunctionName=one)["Configuration"]["RuntimeVersionConfig"] == {"RuntimeVersionArn": version}
    listed = next(entry for entry in functions.list_functions()["Functions"] if entry["FunctionName"] == one)
    assert not {"RuntimeVersionConfig", "State", "LastUpdateStatus"} & set(listed)
    assert "RuntimeVersionArn" not in functions.get_runtime_management_config(FunctionName=one)
    assert functions.put_runtime_management_config(FunctionName=one, UpdateRuntimeOn="Manual", RuntimeVersionArn=version)["RuntimeVersionArn"] == version
    got = functions.get_runtime_management_config(FunctionName=one)
    assert (got["UpdateRuntimeOn"], got["RuntimeVersionArn"]) == ("Manual", version)
    functions.put_runtime_management_config(FunctionName=one, UpdateRuntimeOn="Auto")


def test_no_function_is_signed(functions, one):
    got = functions.get_function_code_signing_config(FunctionName=one)
    assert set(got) == {"ResponseMetadata"}
    assert functions.delete_function_code_signing_config(FunctionName=one)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert functions.list_code_signing_configs()["CodeSigningConfigs"] == []


def statement(arn, sid="all", **more):
    return {"Sid": sid, "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "lambda:InvokeFunction", "Resource": arn, **more}


def test_resource_policies_are_whole_policies(functions, one):
    arn = ACCOUNT + one + ":live"
    fails(functions.get_resource_policy, "ResourceNotFoundException", "The resource you requested does not exist.", ResourceArn=arn)
    document = {"Version": "2012-10-17", "Id": "mine", "Statement": [statement(arn)]}
    put = functions.put_resource_policy(ResourceArn=arn, Policy=json.dumps(document))
    assert json.loads(put["Policy"]) == document
    got = functions.get_resource_policy(ResourceArn=arn)
    assert (json.loads(got["Policy"]), got["RevisionId"]) == (document, put["RevisionId"])
    assert json.loads(functions.get_policy(FunctionName=one, Qualifier="live")["Policy"]) == document
    functions.add_permission(FunctionName=one, Qualifier="live", StatementId="more", Action="lambda:InvokeFunction", Principal="111122223333")
    assert [s["Sid"] for s in json.loads(functions.get_resource_policy(ResourceArn=arn)["Policy"])["Statement"]] == ["all", "more"]
    fails(functions.put_resource_policy, "PreconditionFailedException", "Call the GetResourcePolicy API", ResourceArn=arn, Policy=json.dumps(document), RevisionId=put["RevisionId"])
    put = functions.put_resource_policy(ResourceArn=arn, Policy=json.dumps({**document, "Statement": statement(arn, "other")}))
    assert [s["Sid"] for s in json.loads(put["Policy"])["Statement"]] == ["other"], "it takes the place of what was there"
    functions.remove_permission(FunctionName=one, Qualifier="live", StatementId="other")
    fails(functions.get_resource_policy, "ResourceNotFoundException", "", ResourceArn=arn)
    functions.put_resource_policy(ResourceArn=arn, Policy=json.dumps(document))
    fails(functions.delete_resource_policy, "PreconditionFailedException", "", ResourceArn=arn, RevisionId=put["RevisionId"])
    assert functions.delete_resource_policy(ResourceArn=arn)["ResponseMetadata"]["HTTPStatusCode"] == 204
    fails(functions.delete_resource_policy, "ResourceNotFoundException", "", ResourceArn=arn)
    fails(functions.put_resource_policy, "ResourceNotFoundException", "", ResourceArn=ACCOUNT + "nobody", Policy=json.dumps({**document, "Statement": [statement(ACCOUNT + "nobody")]}))


@pytest.mark.parametrize("policy, part", [
    ("no json", "no JSON object"), ("[]", "no JSON object"), ({}, "no Statement"), ({"Statement": []}, "no Statement"), ({"Statement": ["x"]}, "a Statement is no object"),
    ({"Statement": [statement("other")]}, "the Resource of a Statement is not"), ({"Statement": [statement(ACCOUNT + "errors", Effect="Perhaps")]}, "Allow or Deny"),
    ({"Statement": [{"Effect": "Allow"}]}, "a Statement has no Action"), ({"Statement": [statement(ACCOUNT + "errors"), statement(ACCOUNT + "errors")]}, "two Statements"),
    ({"Version": "1999-01-01", "Statement": [statement(ACCOUNT + "errors")]}, "Version is"), ({"Statement": [statement(ACCOUNT + "errors")], "Else": 1}, "Else is not one of")])
def test_policies_that_are_none(functions, one, policy, part):
    """In words of ours."""
    fails(functions.put_resource_policy, "InvalidParameterValueException", part, ResourceArn=ACCOUNT + one, Policy=policy if isinstance(policy, str) else json.dumps(policy))
