"""Versions, aliases and what a qualifier names, with boto3 and the AWS CLI."""
import base64
import collections
import hashlib
import json
import os
import subprocess
import sys

import pytest

from lambda_support import answer, call, fails, make


@pytest.fixture
def functions(client):
    return client("lambda")


@pytest.fixture
def function(functions, request):
    name = "v-" + hashlib.md5(request.node.name.encode()).hexdigest()[:10]
    make(functions, name, answer("one"), Environment={"Variables": {"AA": "1"}})
    yield name
    functions.delete_function(FunctionName=name)


def test_a_version_is_what_was_published(functions, function):
    first = functions.publish_version(FunctionName=function, Description="the first")
    assert first["Version"] == "1" and first["FunctionArn"].endswith(f":{function}:1") and first["Description"] == "the first"
    again = functions.publish_version(FunctionName=function)
    assert again["Version"] == "1", "nothing has changed"
    changed = functions.update_function_code(FunctionName=function, ZipFile=answer("two"), Publish=True)
    assert changed["Version"] == "2" and changed["FunctionArn"].endswith(":2")
    functions.update_function_configuration(FunctionName=function, Environment={"Variables": {"AA": "3"}})
    assert call(functions, function + ":1")["text"] == "one"
    assert call(functions, function, Qualifier="2")["text"] == "two"
    got = call(functions, function, Qualifier="1")
    assert (got["version"], got["executed"]) == ("1", "1") and got["arn"].endswith(":1")
    assert call(functions, function)["version"] == "$LATEST"
    kept = functions.get_function_configuration(FunctionName=function, Qualifier="1")
    assert kept["Environment"]["Variables"] == {"AA": "1"} and kept["CodeSha256"] == first["CodeSha256"]
    listed = functions.list_versions_by_function(FunctionName=function)["Versions"]
    assert [v["Version"] for v in listed] == ["$LATEST", "1", "2"]
    pages = functions.get_paginator("list_versions_by_function").paginate(FunctionName=function, PaginationConfig={"PageSize": 1})
    assert [v["Version"] for page in pages for v in page["Versions"]] == ["$LATEST", "1", "2"]


def test_create_with_publish_and_list_all(functions, request):
    name = "published-at-once"
    made = make(functions, name, answer("x"), Publish=True)
    assert made["Version"] == "1"
    everything = [f for page in functions.get_paginator("list_functions").paginate(FunctionVersion="ALL", PaginationConfig={"PageSize": 2})
                  for f in page["Functions"] if f["FunctionName"] == name]
    assert [f["Version"] for f in everything] == ["$LATEST", "1"]
    functions.delete_function(FunctionName=name)
    fails(functions.get_function, "ResourceNotFoundException", "Function not found", FunctionName=name, Qualifier="1")


def test_preconditions(functions, function):
    now = functions.get_function_configuration(FunctionName=function)
    fails(functions.publish_version, "InvalidParameterValueException", "is different from current CodeSHA256 in $LATEST", FunctionName=function, CodeSha256="AAAA")
    fails(functions.publish_version, "PreconditionFailedException", "does not match the latest Revision Id", FunctionName=function, RevisionId="other")
    functions.publish_version(FunctionName=function, CodeSha256=now["CodeSha256"], RevisionId=now["RevisionId"])
    fails(functions.update_function_code, "PreconditionFailedException", "", FunctionName=function, ZipFile=answer("x"), RevisionId="other")


def test_aliases(functions, function):
    functions.publish_version(FunctionName=function)
    functions.update_function_code(FunctionName=function, ZipFile=answer("two"), Publish=True)
    live = functions.create_alias(FunctionName=function, Name="live", FunctionVersion="1", Description="d")
    assert live["AliasArn"].endswith(f":{function}:live") and live["FunctionVersion"] == "1"
    fails(functions.create_alias, "ResourceConflictException", "Alias already exists", FunctionName=function, Name="live", FunctionVersion="1")
    fails(functions.create_alias, "ResourceNotFoundException", "Function not found", FunctionName=function, Name="other", FunctionVersion="9")
    fails(functions.create_alias, "ValidationException", "", FunctionName=function, Name="12", FunctionVersion="1")
    got = call(functions, function, Qualifier="live")
    assert (got["text"], got["version"], got["executed"]) == ("one", "1", "1") and got["arn"].endswith(":live")
    fails(functions.update_alias, "PreconditionFailedException", "", FunctionName=function, Name="live", RevisionId="other", FunctionVersion="2")
    moved = functions.update_alias(FunctionName=function, Name="live", RevisionId=live["RevisionId"], FunctionVersion="2")
    assert moved["FunctionVersion"] == "2" and moved["Description"] == "d" and moved["RevisionId"] != live["RevisionId"]
    assert call(functions, live["AliasArn"])["text"] == "two"
    assert functions.get_alias(FunctionName=function, Name="live") .items() >= {"FunctionVersion": "2", "Name": "live"}.items()
    functions.create_alias(FunctionName=function, Name="latest", FunctionVersion="$LATEST")
    assert [a["Name"] for a in functions.list_aliases(FunctionName=function)["Aliases"]] == ["latest", "live"]
    assert [a["Name"] for a in functions.list_aliases(FunctionName=function, FunctionVersion="2")["Aliases"]] == ["live"]
    assert functions.get_function(FunctionName=function, Qualifier="live")["Configuration"]["Version"] == "2"
    fails(functions.get_alias, "ResourceNotFoundException", "Cannot find alias arn", FunctionName=function, Name="none")
    fails(functions.invoke, "ResourceNotFoundException", "Function not found", FunctionName=function, Qualifier="none")
    functions.delete_alias(FunctionName=function, Name="live")
    functions.delete_alias(FunctionName=function, Name="live")
    fails(functions.get_alias, "ResourceNotFoundException", "Cannot find alias arn", FunctionName=function, Name="live")


def test_weights(functions, function):
    functions.publish_version(FunctionName=function)
    functions.update_function_code(FunctionName=function, ZipFile=answer("two"), Publish=True)
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    made = functions.create_alias(FunctionName=function, Name="canary", FunctionVersion="1", RoutingConfig=weights)
    assert made["RoutingConfig"] == weights
    seen = collections.Counter(call(functions, function, Qualifier="canary")["executed"] for _ in range(60))
    assert set(seen) == {"1", "2"} and min(seen.values()) > 5, seen
    for bad, error, part in [({"2": 0.2, "1": 0.2}, "InvalidParameterValueException", "cannot be greater than 1"),
                             ({"1": 0.5}, "InvalidParameterValueException", "already included"),
                             ({"2": 1.5}, "ValidationException", ""), ({"9": 0.5}, "ResourceNotFoundException", "Function not found")]:
        fails(functions.update_alias, error, part, FunctionName=function, Name="canary", RoutingConfig={"AdditionalVersionWeights": bad})
    none = functions.update_alias(FunctionName=function, Name="canary", RoutingConfig={"AdditionalVersionWeights": {}})
    assert not none.get("RoutingConfig", {}).get("AdditionalVersionWeights")
    assert {call(functions, function, Qualifier="canary")["executed"] for _ in range(8)} == {"1"}


def test_deleting_versions(functions, function):
    functions.publish_version(FunctionName=function)
    functions.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    fails(functions.delete_function, "ResourceConflictException", "", FunctionName=function, Qualifier="1")
    fails(functions.delete_function, "InvalidParameterValueException", "$LATEST version cannot be deleted", FunctionName=function, Qualifier="$LATEST")
    functions.delete_alias(FunctionName=function, Name="live")
    functions.delete_function(FunctionName=function, Qualifier="1")
    fails(functions.get_function, "ResourceNotFoundException", "Function not found", FunctionName=function, Qualifier="1")
    fails(functions.invoke, "ResourceNotFoundException", "Function not found", FunctionName=function, Qualifier="1")
    assert call(functions, function)["text"] == "one", "the package of a deleted version is $LATEST's too"
    assert functions.publish_version(FunctionName=function)["Version"] == "2", "numbers are not given twice"


def test_policies_by_qualifier(functions, function):
    functions.publish_version(FunctionName=function)
    functions.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    statement = {"StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    made = functions.add_permission(FunctionName=function, Qualifier="live", SourceArn="arn:aws:s3:::bucket", SourceAccount="111122223333", **statement)
    body = json.loads(made["Statement"])
    assert body["Resource"].endswith(f":{function}:live") and body["Principal"] == {"Service": "s3.amazonaws.com"}
    assert body["Condition"] == {"StringEquals": {"AWS:SourceAccount": "111122223333"}, "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"}}
    functions.add_permission(FunctionName=function, **statement)  # a policy of its own, so the id is free there
    fails(functions.add_permission, "ResourceConflictException", "(s3) provided already exists", FunctionName=function, **statement)
    fails(functions.add_permission, "InvalidParameterValueException", "do not support adding policies for $LATEST", FunctionName=function, Qualifier="$LATEST", **statement)
    fails(functions.add_permission, "ResourceNotFoundException", "Cannot find alias arn", FunctionName=function, Qualifier="none", **statement)
    fails(functions.get_policy, "ResourceNotFoundException", "", FunctionName=function, Qualifier="1")
    got = functions.get_policy(FunctionName=function, Qualifier="live")
    assert [s["Sid"] for s in json.loads(got["Policy"])["Statement"]] == ["s3"]
    fails(functions.remove_permission, "PreconditionFailedException", "", FunctionName=function, Qualifier="live", StatementId="s3", RevisionId="other")
    functions.remove_permission(FunctionName=function, Qualifier="live", StatementId="s3", RevisionId=got["RevisionId"])
    fails(functions.get_policy, "ResourceNotFoundException", "", FunctionName=function, Qualifier="live")
    assert functions.get_policy(FunctionName=function)["Policy"]
    with_conditions = functions.add_permission(FunctionName=function, StatementId="url", Action="lambda:InvokeFunctionUrl", Principal="*",
                                               FunctionUrlAuthType="AWS_IAM", PrincipalOrgID="o-abcdefghij", EventSourceToken="token")
    assert json.loads(with_conditions["Statement"])["Condition"]["StringEquals"] == {
        "lambda:EventSourceToken": "token", "lambda:FunctionUrlAuthType": "AWS_IAM", "aws:PrincipalOrgID": "o-abcdefghij"}
    for number in range(200):
        try:
            functions.add_permission(FunctionName=function, StatementId=f"n{number}", Action="lambda:InvokeFunction", Principal="111122223333")
        except functions.exceptions.PolicyLengthExceededException as error:
            assert "bigger than the limit (20480)" in str(error)
            break
    else:
        pytest.fail("a policy has no limit")


def test_the_cli_publishes_and_routes(functions, function, request):
    if request.config.getoption("--endpoint"):
        pytest.skip("runs the AWS CLI against the platform")
    cli = os.path.join(os.path.dirname(sys.executable), "aws")
    endpoint = functions.meta.endpoint_url
    env = {**os.environ, "AWS_ACCESS_KEY_ID": "111122223333", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "eu-west-1"}

    def aws(*words):
        done = subprocess.run([cli, "--endpoint-url", endpoint, "--output", "json", "lambda", *words], env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else {}

    version = aws("publish-version", "--function-name", function)["Version"]
    aws("create-alias", "--function-name", function, "--name", "live", "--function-version", version)
    assert aws("get-alias", "--function-name", function, "--name", "live")["FunctionVersion"] == version


def test_the_package_can_be_downloaded(functions, function, request):
    import urllib.error
    import urllib.request
    code = functions.get_function(FunctionName=function)["Code"]
    with urllib.request.urlopen(code["Location"], timeout=10) as got:
        assert base64.b64encode(hashlib.sha256(got.read()).digest()).decode() == functions.get_function_configuration(FunctionName=function)["CodeSha256"]
    if not request.config.getoption("--endpoint"):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(code["Location"][:-4] + "0000", timeout=10)
