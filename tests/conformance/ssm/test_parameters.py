"""Parameter Store with stock boto3 and AWS CLI. Runs unchanged against another endpoint."""
import json
import os
import pathlib
import stat
import subprocess
import sys
import uuid

import pytest
from botocore.exceptions import ClientError

from conftest import Platform


@pytest.fixture
def ssm(client):
    return client("ssm")


@pytest.fixture
def root(ssm):
    root = "/t" + uuid.uuid4().hex[:10]
    yield root
    for page in ssm.get_paginator("get_parameters_by_path").paginate(Path=root, Recursive=True):
        if names := [p["Name"] for p in page["Parameters"]]:
            ssm.delete_parameters(Names=names)


def refusal(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_put_get_delete(ssm, root):
    name = root + "/url"
    assert ssm.put_parameter(Name=name, Value="http://one", Type="String", Description="where")["Version"] == 1
    parameter = ssm.get_parameter(Name=name)["Parameter"]
    when = parameter.pop("LastModifiedDate")
    assert parameter == {"Name": name, "Type": "String", "Value": "http://one", "Version": 1, "DataType": "text",
                         "ARN": parameter["ARN"]} and parameter["ARN"].endswith(":parameter" + name)
    assert when.year >= 2024
    assert refusal(ssm.put_parameter, Name=name, Value="x", Type="String")[0] == "ParameterAlreadyExists"
    answer = ssm.put_parameter(Name=name, Value="http://two", Overwrite=True)
    assert (answer["Version"], answer["Tier"]) == (2, "Standard")
    old = ssm.get_parameter(Name=name + ":1")["Parameter"]
    assert (old["Value"], old["Selector"], old["Name"]) == ("http://one", ":1", name)
    assert ssm.get_parameter(Name=parameter["ARN"])["Parameter"]["Value"] == "http://two"
    ssm.delete_parameter(Name=name)
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name=name)
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.delete_parameter(Name=name)


def test_secure_strings(ssm, root):
    name = root + "/password"
    ssm.put_parameter(Name=name, Value="open sesame", Type="SecureString")
    assert "sesame" not in ssm.get_parameter(Name=name)["Parameter"]["Value"]
    assert ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"] == "open sesame"
    (listed,) = ssm.get_parameters_by_path(Path=root)["Parameters"]
    assert "sesame" not in listed["Value"]
    assert ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [name]}])["Parameters"][0]["KeyId"] == "alias/aws/ssm"
    assert ssm.get_parameter_history(Name=name, WithDecryption=True)["Parameters"][0]["Value"] == "open sesame"


def test_many(ssm, root):
    for i in range(12):
        ssm.put_parameter(Name=f"{root}/p{i:02}", Value=str(i), Type="String", Tags=[{"Key": "parity", "Value": str(i % 2)}])
    ssm.put_parameter(Name=root + "/list/a", Value="a,b", Type="StringList")
    answer = ssm.get_parameters(Names=[root + "/p01", root + "/p00", root + "/none", root + "/p01:9"])
    assert [p["Value"] for p in answer["Parameters"]] == ["1", "0"]
    assert answer["InvalidParameters"] == [root + "/none", root + "/p01:9"]
    pages = list(ssm.get_paginator("get_parameters_by_path").paginate(Path=root))
    assert [len(page["Parameters"]) for page in pages] == [10, 2]
    assert len([p for page in ssm.get_paginator("get_parameters_by_path").paginate(Path=root, Recursive=True) for p in page["Parameters"]]) == 13
    assert [p["Name"] for p in ssm.get_parameters_by_path(Path=root, Recursive=True, ParameterFilters=[{"Key": "Type", "Values": ["StringList"]}])["Parameters"]] == [root + "/list/a"]
    odd = ssm.describe_parameters(ParameterFilters=[{"Key": "Path", "Values": [root]}, {"Key": "tag:parity", "Values": ["1"]}])["Parameters"]
    assert len(odd) == 6 and "Value" not in odd[0]
    answer = ssm.delete_parameters(Names=[root + "/p00", root + "/none"])
    assert (answer["DeletedParameters"], answer["InvalidParameters"]) == ([root + "/p00"], [root + "/none"])


def test_labels(ssm, root):
    name = root + "/l"
    for value in "abc":
        ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=value != "a")
    answer = ssm.label_parameter_version(Name=name, ParameterVersion=2, Labels=["live", "9bad"])
    assert (answer["ParameterVersion"], answer["InvalidLabels"]) == (2, ["9bad"])
    assert ssm.get_parameter(Name=name + ":live")["Parameter"]["Value"] == "b"
    assert [(p["Version"], p["Labels"]) for p in ssm.get_parameter_history(Name=name)["Parameters"]] == [(1, []), (2, ["live"]), (3, [])]
    assert ssm.unlabel_parameter_version(Name=name, ParameterVersion=2, Labels=["live", "x"])["RemovedLabels"] == ["live"]
    assert refusal(ssm.get_parameter, Name=name + ":live")[0] == "ParameterVersionNotFound"
    assert refusal(ssm.label_parameter_version, Name=name, ParameterVersion=9, Labels=["a"])[0] == "ParameterVersionNotFound"


def test_tags(ssm, root):
    name = root + "/t"
    ssm.put_parameter(Name=name, Value="v", Type="String", Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=name, Tags=[{"Key": "a", "Value": "3"}])
    ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId=name, TagKeys=["b"])
    assert ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"] == [{"Key": "a", "Value": "3"}]
    assert refusal(ssm.list_tags_for_resource, ResourceType="Document", ResourceId=name)[0] == "InvalidResourceType"
    assert refusal(ssm.list_tags_for_resource, ResourceType="Parameter", ResourceId=root + "/none")[0] == "InvalidResourceId"
    assert refusal(ssm.add_tags_to_resource, ResourceType="Parameter", ResourceId=name, Tags=[{"Key": "aws:x", "Value": "3"}])[0] == "ValidationException"
    assert "tags and overwrite can't be used together" in refusal(ssm.put_parameter, Name=name, Value="v", Overwrite=True, Tags=[{"Key": "a", "Value": "1"}])[1]


@pytest.mark.parametrize("member, value, says", [("Policies", "[]", "parameter policies"), ("DataType", "aws:ec2:image", "aws:ec2:image"), ("Tier", "Huge", "enum value set")])
def test_what_is_not_supported_is_named(ssm, root, member, value, says):
    code, message = refusal(ssm.put_parameter, Name=root + "/x", Value="v", Type="String", **{member: value})
    assert code == "ValidationException" and says in message


def cli(platform, *arguments):
    done = subprocess.run([pathlib.Path(sys.executable).with_name("aws"), "--endpoint-url", platform.url, "--region", "eu-west-1", "--output", "json", *arguments],
                          env={**os.environ, "AWS_ACCESS_KEY_ID": "111122223333", "AWS_SECRET_ACCESS_KEY": "any", "AWS_PAGER": ""}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else {}


def test_the_stock_cli(empty, ssm, root):
    cli(empty, "ssm", "put-parameter", "--name", root + "/cli", "--type", "SecureString", "--value", "quiet")
    assert cli(empty, "ssm", "get-parameter", "--name", root + "/cli", "--with-decryption")["Parameter"]["Value"] == "quiet"
    assert len(cli(empty, "ssm", "get-parameters-by-path", "--path", root)["Parameters"]) == 1


def test_kill_9_keeps_what_was_acknowledged_and_the_key(binary, tmp_path):
    platform = Platform(binary, tmp_path, "--empty")
    try:
        ssm = platform.client("ssm")
        for i in range(20):
            ssm.put_parameter(Name="/k", Value=f"secret {i}", Type="SecureString", Overwrite=i > 0)
        platform.kill()
        state = tmp_path / "state"
        assert stat.S_IMODE((state / "seal-key").stat().st_mode) == 0o600
        stored = [file.read_bytes() for file in (state / "store").rglob("*") if file.is_file()]
        assert any(b"SecureString" in data for data in stored) and not any(b"secret 1" in data for data in stored)
        platform.start()
        ssm = platform.client("ssm")
        assert ssm.get_parameter(Name="/k", WithDecryption=True)["Parameter"]["Value"] == "secret 19"
        assert [p["Value"] for p in ssm.get_parameter_history(Name="/k", WithDecryption=True)["Parameters"]] == [f"secret {i}" for i in range(20)]
    finally:
        platform.stop()


def test_a_template_makes_parameters(empty, ssm, root):
    stacks, name = empty.client("cloudformation"), "ssm" + uuid.uuid4().hex[:8]
    fast = {"Delay": 0.1, "MaxAttempts": 300}

    def template(value, **more):
        return json.dumps({"Resources": {"Url": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": root + "/stack", "Type": "String", "Value": value, **more}},
                                         "Unnamed": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "StringList", "Value": "a,b"}}},
                           "Outputs": {"Name": {"Value": {"Ref": "Url"}}, "Value": {"Value": {"Fn::GetAtt": ["Url", "Value"]}}, "Other": {"Value": {"Ref": "Unnamed"}}}})

    stacks.create_stack(StackName=name, TemplateBody=template("one", Description="d", Tags={"team": "web"}))
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=fast)
    outputs = {o["OutputKey"]: o["OutputValue"] for o in stacks.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]}
    assert (outputs["Name"], outputs["Value"]) == (root + "/stack", "one")
    assert ssm.get_parameter(Name=outputs["Other"])["Parameter"]["Value"] == "a,b"
    assert {"Key": "team", "Value": "web"} in ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=root + "/stack")["TagList"]
    stacks.update_stack(StackName=name, TemplateBody=template("two"))
    stacks.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=fast)
    after = ssm.get_parameter(Name=root + "/stack")["Parameter"]
    assert (after["Value"], after["Version"]) == ("two", 2)
    assert "Description" not in ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [root + "/stack"]}])["Parameters"][0]
    stacks.delete_stack(StackName=name)
    stacks.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=fast)
    assert refusal(ssm.get_parameter, Name=root + "/stack")[0] == "ParameterNotFound"
