"""Values of a template from Parameter Store, and NoEcho parameters, with stock boto3."""
import json
import time
import uuid

import pytest
from botocore.exceptions import ClientError

from conftest import Platform

FAST = {"Delay": 0.1, "MaxAttempts": 300}


@pytest.fixture
def stacks(empty):
    return empty.client("cloudformation")


@pytest.fixture
def ssm(empty):
    return empty.client("ssm")


@pytest.fixture
def name(stacks):
    name = "v" + uuid.uuid4().hex[:10]
    yield name
    stacks.delete_stack(StackName=name)


def parameter(value, name=None):
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value, **({"Name": name} if name else {})}}


def outputs(stacks, name):
    return {o["OutputKey"]: o["OutputValue"] for o in stacks.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]}


def until(stacks, name, status):
    for _ in range(300):
        if (now := stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]) == status:
            return
        time.sleep(0.02)
    assert now == status


def refusal(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Message"]


def test_dynamic_references(stacks, ssm, name):
    ssm.put_parameter(Name=f"/{name}/url", Value="http://one", Type="String")
    text = json.dumps({"Parameters": {"Stage": {"Type": "String", "Default": name}},
                       "Resources": {"P": parameter({"Fn::Sub": "{{resolve:ssm:/${Stage}/url}}/path and {{resolve:ssm:/${Stage}/url:1}}"})},
                       "Outputs": {"V": {"Value": {"Fn::GetAtt": ["P", "Value"]}}, "W": {"Value": f"{{{{resolve:ssm:/{name}/url}}}}"}}})
    stacks.create_stack(StackName=name, TemplateBody=text)
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=FAST)
    assert outputs(stacks, name) == {"V": "http://one/path and http://one", "W": "http://one"}
    assert refusal(stacks.update_stack, StackName=name, TemplateBody=text) == "No updates are to be performed."
    ssm.put_parameter(Name=f"/{name}/url", Value="http://two", Overwrite=True)
    stacks.update_stack(StackName=name, TemplateBody=text)
    stacks.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=FAST)
    assert outputs(stacks, name) == {"V": "http://two/path and http://one", "W": "http://two"}


@pytest.mark.parametrize("reference, says", [("{{resolve:ssm-secure:/a:1}}", "ssm-secure is supported by no property"),
                                             ("{{resolve:secretsmanager:a:SecretString}}", "Secrets Manager is not available"),
                                             ("{{resolve:other:a}}", "do not exist")])
def test_references_that_are_refused_before_anything_is_made(stacks, name, reference, says):
    body = json.dumps({"Resources": {"A": parameter("x"), "P": parameter(reference)}})
    assert says in refusal(stacks.create_stack, StackName=name, TemplateBody=body)
    assert "does not exist" in refusal(stacks.describe_stacks, StackName=name)


def test_a_reference_that_is_not_there_rolls_back(stacks, name):
    stack_id = stacks.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {"P": parameter("{{resolve:ssm:/none/at/all}}")}}))["StackId"]
    until(stacks, stack_id, "ROLLBACK_COMPLETE")
    reasons = [e.get("ResourceStatusReason", "") for e in stacks.describe_stack_events(StackName=stack_id)["StackEvents"]]
    assert any("[P]" in reason for reason in reasons), reasons


def test_parameters_from_the_store(stacks, ssm, name):
    ssm.put_parameter(Name=f"/{name}/list", Value="a,b", Type="StringList")
    ssm.put_parameter(Name=f"/{name}/secret", Value="s", Type="SecureString")
    text = json.dumps({"Parameters": {"L": {"Type": "AWS::SSM::Parameter::Value<List<String>>", "Default": f"/{name}/list"},
                                      "N": {"Type": "AWS::SSM::Parameter::Name", "Default": f"/{name}/list"},
                                      "S": {"Type": "AWS::SSM::Parameter::Value<String>"}},
                       "Resources": {"P": parameter({"Fn::Join": ["+", {"Ref": "L"}]})},
                       "Outputs": {"V": {"Value": {"Fn::GetAtt": ["P", "Value"]}}, "N": {"Value": {"Ref": "N"}}, "S": {"Value": {"Ref": "S"}}}})

    def given(value):
        return [{"ParameterKey": "S", "ParameterValue": value}]

    assert "Unable to fetch parameters [/none] from parameter store for this account." in refusal(stacks.create_stack, StackName=name, TemplateBody=text, Parameters=given("/none"))
    assert "have types not supported by CloudFormation" in refusal(stacks.create_stack, StackName=name, TemplateBody=text, Parameters=given(f"/{name}/secret"))
    stacks.create_stack(StackName=name, TemplateBody=text, Parameters=given(f"/{name}/list"))
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=FAST)
    assert outputs(stacks, name) == {"V": "a+b", "N": f"/{name}/list", "S": "a,b"}
    shown = {p["ParameterKey"]: (p["ParameterValue"], p.get("ResolvedValue")) for p in stacks.describe_stacks(StackName=name)["Stacks"][0]["Parameters"]}
    assert shown == {"L": (f"/{name}/list", "a,b"), "N": (f"/{name}/list", None), "S": (f"/{name}/list", "a,b")}


def test_no_echo_is_not_told_anywhere(binary, tmp_path):
    platform = Platform(binary, tmp_path, "--empty")
    try:
        stacks, secret = platform.client("cloudformation"), "Sup3r-quiet-value"
        text = json.dumps({"Parameters": {"Password": {"Type": "String", "NoEcho": True, "AllowedPattern": "[A-Za-z0-9-]+"}},
                           "Resources": {"F": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Ref": "Password"}, "AllowedPattern": {"Fn::Sub": "not-${Password}"}}}}})
        given = [{"ParameterKey": "Password", "ParameterValue": secret}]
        stack_id = stacks.create_stack(StackName="quiet", TemplateBody=text, Parameters=given)["StackId"]
        until(stacks, stack_id, "ROLLBACK_COMPLETE")
        failed = next(e for e in stacks.describe_stack_events(StackName=stack_id)["StackEvents"] if e["ResourceStatus"] == "CREATE_FAILED")
        assert "cannot be validated against allowedPattern: not-****" in failed["ResourceStatusReason"]
        stacks.delete_stack(StackName="quiet")
        good = json.loads(text)
        del good["Resources"]["F"]["Properties"]["AllowedPattern"]
        good["Resources"]["F"] = {"Type": "AWS::S3::Bucket", "Properties": {"Tags": [{"Key": "k", "Value": {"Fn::Select": [0, {"Fn::Split": [",", {"Ref": "Password"}]}]}}]}}
        change = stacks.create_change_set(StackName="quiet2", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=json.dumps(good), Parameters=given)
        told = stacks.describe_change_set(ChangeSetName=change["Id"])
        assert secret not in str(told) and told["Parameters"] == [{"ParameterKey": "Password", "ParameterValue": "****"}]
        assert secret not in refusal(stacks.create_stack, StackName="quiet3", TemplateBody=text, Parameters=[{"ParameterKey": "Password", "ParameterValue": secret + " !"}])
        platform.kill()
        kept = [file.read_bytes() for file in (tmp_path / "state" / "store").rglob("*") if file.is_file()]
        assert any(b"quiet2" in data for data in kept) and not any(secret.encode() in data for data in kept)
        assert secret not in platform.output()
        platform.start()
        stacks = platform.client("cloudformation")
        stacks.execute_change_set(ChangeSetName=change["Id"])
        stacks.get_waiter("stack_create_complete").wait(StackName="quiet2", WaiterConfig=FAST)
        bucket = stacks.describe_stack_resource(StackName="quiet2", LogicalResourceId="F")["StackResourceDetail"]["PhysicalResourceId"]
        assert secret in str(platform.client("s3").get_bucket_tagging(Bucket=bucket)["TagSet"])
    finally:
        platform.stop()
