"""Layers: published, listed, given to functions, found by them, deleted."""
import json

import pytest

from lambda_support import call, fails, make, package


@pytest.fixture
def functions(client):
    return client("lambda")


def layer(functions, name, text, **more):
    content = {"ZipFile": package({"nodejs/node_modules/greeting/index.js": f"module.exports = {json.dumps(text)};"})}
    return functions.publish_layer_version(LayerName=name, Content=content, **more)


def test_versions_of_a_layer(functions):
    made = layer(functions, "greeting-a", "one", Description="d", CompatibleRuntimes=["nodejs22.x"], CompatibleArchitectures=["x86_64"], LicenseInfo="MIT")
    assert made["Version"] == 1 and made["LayerVersionArn"] == made["LayerArn"] + ":1"
    assert (made["Description"], made["LicenseInfo"], made["CompatibleRuntimes"]) == ("d", "MIT", ["nodejs22.x"])
    assert layer(functions, "greeting-a", "two")["Version"] == 2
    got = functions.get_layer_version(LayerName="greeting-a", VersionNumber=1)
    assert got["Content"]["CodeSha256"] == made["Content"]["CodeSha256"] and got["Content"]["CodeSize"] > 0
    assert functions.get_layer_version_by_arn(Arn=made["LayerVersionArn"])["Version"] == 1
    assert functions.get_layer_version(LayerName=made["LayerArn"], VersionNumber=2)["Version"] == 2
    assert [v["Version"] for v in functions.list_layer_versions(LayerName="greeting-a")["LayerVersions"]] == [2, 1]
    assert [v["Version"] for v in functions.list_layer_versions(LayerName="greeting-a", CompatibleRuntime="nodejs22.x")["LayerVersions"]] == [1]
    listed = {entry["LayerName"]: entry["LatestMatchingVersion"]["Version"] for entry in functions.list_layers()["Layers"]}
    assert listed["greeting-a"] == 2
    functions.delete_layer_version(LayerName="greeting-a", VersionNumber=2)
    functions.delete_layer_version(LayerName="greeting-a", VersionNumber=2)
    fails(functions.get_layer_version, "ResourceNotFoundException", "does not exist", LayerName="greeting-a", VersionNumber=2)
    assert layer(functions, "greeting-a", "three")["Version"] == 3, "numbers are not given twice"
    fails(functions.get_layer_version, "InvalidParameterValueException", "Layer Version Cannot be less than 1", LayerName="greeting-a", VersionNumber=0)


def test_functions_find_what_layers_hold(functions):
    name = "with-layers"
    first = layer(functions, "greeting-b", "hello")["LayerVersionArn"]
    other = functions.publish_layer_version(LayerName="numbers", Content={"ZipFile": package(
        {"nodejs/node_modules/numbers/index.js": "module.exports = 7;", "data/file.txt": "x"})})["LayerVersionArn"]
    source = package("const g = require('greeting'), n = require('numbers'); exports.handler = async () => ({ g, n, sdk: !!require('@aws-sdk/client-dynamodb') });")
    made = make(functions, name, source, Layers=[first, other])
    assert [l["Arn"] for l in made["Layers"]] == [first, other] and made["Layers"][0]["CodeSize"] > 0
    got = call(functions, name)
    assert (got["g"], got["n"], got["sdk"]) == ("hello", 7, True)
    functions.delete_layer_version(LayerName="greeting-b", VersionNumber=1)
    assert call(functions, name)["g"] == "hello", "what a function has stays"
    fails(functions.update_function_configuration, "InvalidParameterValueException", "does not exist", FunctionName=name, Layers=[first])
    second = layer(functions, "greeting-b", "goodbye")["LayerVersionArn"]
    functions.update_function_configuration(FunctionName=name, Layers=[second, other])
    assert call(functions, name)["g"] == "goodbye"
    third = layer(functions, "greeting-b", "x")["LayerVersionArn"]
    fails(functions.update_function_configuration, "InvalidParameterValueException", "are versions of the same layer", FunctionName=name, Layers=[second, third])
    fails(functions.update_function_configuration, "InvalidParameterValueException", "more than 5 layers", FunctionName=name, Layers=[f"{other[:-1]}{n}" for n in range(1, 7)])
    functions.update_function_configuration(FunctionName=name, Layers=[])
    failed = functions.invoke(FunctionName=name)
    assert failed["FunctionError"] == "Unhandled" and "Cannot find module 'greeting'" in failed["Payload"].read().decode()
    functions.delete_function(FunctionName=name)


def test_policies_of_layers(functions):
    made = layer(functions, "shared", "x")
    name = {"LayerName": "shared", "VersionNumber": made["Version"]}
    fails(functions.get_layer_version_policy, "ResourceNotFoundException", "No policy is associated", **name)
    added = functions.add_layer_version_permission(StatementId="all", Action="lambda:GetLayerVersion", Principal="*", OrganizationId="o-abcdefghij", **name)
    body = json.loads(added["Statement"])
    assert body["Resource"] == made["LayerVersionArn"] and body["Principal"] == "*" and "Condition" in body
    policy = functions.get_layer_version_policy(**name)
    assert json.loads(policy["Policy"])["Statement"] == [body] and policy["RevisionId"] == added["RevisionId"]
    fails(functions.add_layer_version_permission, "ResourceConflictException", "already exists", StatementId="all", Action="lambda:GetLayerVersion", Principal="*", **name)
    fails(functions.remove_layer_version_permission, "PreconditionFailedException", "", StatementId="all", RevisionId="other", **name)
    functions.remove_layer_version_permission(StatementId="all", **name)
    fails(functions.remove_layer_version_permission, "ResourceNotFoundException", "is not found", StatementId="all", **name)
