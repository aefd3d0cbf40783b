"""Customer managed policies and the IAM resource types with stock boto3."""
import json
import uuid

import pytest
from botocore.exceptions import ClientError

from conftest import Platform

FAST = {"Delay": 0.1, "MaxAttempts": 300}
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}


@pytest.fixture
def iam(client):
    return client("iam")


@pytest.fixture
def name():
    return "p" + uuid.uuid4().hex[:10]


def refusal(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_policies_and_versions(iam, name):
    policy = iam.create_policy(PolicyName=name, Path="/team/", Description="d", PolicyDocument=json.dumps(ALLOW), Tags=[{"Key": "a", "Value": "1"}])["Policy"]
    arn = policy["Arn"]
    assert arn.endswith(f":policy/team/{name}") and policy["DefaultVersionId"] == "v1" and policy["PolicyId"].startswith("ANPA")
    assert refusal(iam.create_policy, PolicyName=name, PolicyDocument=json.dumps(ALLOW))[0] == "EntityAlreadyExists"
    assert refusal(iam.create_policy, PolicyName=name + "x", PolicyDocument="{")[0] == "MalformedPolicyDocument"
    assert iam.get_policy(PolicyArn=arn)["Policy"]["Description"] == "d"
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"] == ALLOW
    for i in range(2, 6):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps({**ALLOW, "Id": str(i)}), SetAsDefault=i == 3)
    assert "up to 5 versions" in refusal(iam.create_policy_version, PolicyArn=arn, PolicyDocument=json.dumps(ALLOW))[1]
    assert [(v["VersionId"], v["IsDefaultVersion"]) for v in iam.list_policy_versions(PolicyArn=arn)["Versions"]] == [
        ("v5", False), ("v4", False), ("v3", True), ("v2", False), ("v1", False)]
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v5")
    assert refusal(iam.delete_policy_version, PolicyArn=arn, VersionId="v5")[0] == "DeleteConflict"
    assert refusal(iam.delete_policy, PolicyArn=arn)[0] == "DeleteConflict"
    for version in ("v1", "v2", "v3", "v4"):
        iam.delete_policy_version(PolicyArn=arn, VersionId=version)
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    iam.untag_policy(PolicyArn=arn, TagKeys=["a"])
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]

    assert refusal(iam.attach_role_policy, RoleName=name + "-none", PolicyArn=arn)[0] == "NoSuchEntity"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    assert refusal(iam.attach_role_policy, RoleName=name, PolicyArn=arn + "-none")[0] == "NoSuchEntity"
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    assert [r["RoleName"] for r in iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"]] == [name]
    listed = [p["PolicyName"] for page in iam.get_paginator("list_policies").paginate(Scope="Local", OnlyAttached=True, PaginationConfig={"PageSize": 1}) for p in page["Policies"]]
    assert name in listed
    assert refusal(iam.delete_policy, PolicyArn=arn)[1] == "Cannot delete a policy attached to entities."
    iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    iam.delete_policy(PolicyArn=arn)
    assert refusal(iam.get_policy, PolicyArn=arn)[0] == "NoSuchEntity"


def test_a_template_makes_policies(empty, iam, name):
    stacks = empty.client("cloudformation")

    def template(action, roles=("R", "S")):
        document = {**ALLOW, "Statement": [{**ALLOW["Statement"][0], "Action": action}]}
        role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}}
        return json.dumps({"Resources": {
            "R": role, "S": role,
            "Inline": {"Type": "AWS::IAM::Policy", "Properties": {"PolicyName": "inline", "PolicyDocument": document, "Roles": [{"Ref": r} for r in roles]}},
            "Managed": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document, "Roles": [{"Ref": "R"}]}},
            "Single": {"Type": "AWS::IAM::RolePolicy", "Properties": {"PolicyName": "single", "PolicyDocument": document, "RoleName": {"Ref": "R"}}}},
            "Outputs": {"R": {"Value": {"Ref": "R"}}, "S": {"Value": {"Ref": "S"}}, "M": {"Value": {"Ref": "Managed"}}}})

    stacks.create_stack(StackName=name, TemplateBody=template("s3:GetObject"), Capabilities=["CAPABILITY_NAMED_IAM"])
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=FAST)
    out = {o["OutputKey"]: o["OutputValue"] for o in stacks.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]}
    assert iam.list_role_policies(RoleName=out["R"])["PolicyNames"] == ["inline", "single"]
    assert [p["PolicyArn"] for p in iam.list_attached_role_policies(RoleName=out["R"])["AttachedPolicies"]] == [out["M"]]
    for i in range(6):  # more often than a policy has versions
        stacks.update_stack(StackName=name, TemplateBody=template(f"s3:Put{i}", roles=("R",)), Capabilities=["CAPABILITY_NAMED_IAM"])
        stacks.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=FAST)
    assert iam.list_role_policies(RoleName=out["S"])["PolicyNames"] == []
    default = iam.get_policy(PolicyArn=out["M"])["Policy"]["DefaultVersionId"]
    assert iam.get_policy_version(PolicyArn=out["M"], VersionId=default)["PolicyVersion"]["Document"]["Statement"][0]["Action"] == "s3:Put5"
    stacks.delete_stack(StackName=name)
    stacks.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=FAST)
    assert refusal(iam.get_policy, PolicyArn=out["M"])[0] == "NoSuchEntity"


def test_kill_9_keeps_policies(binary, tmp_path):
    platform = Platform(binary, tmp_path, "--empty")
    try:
        arn = platform.client("iam").create_policy(PolicyName="kept", PolicyDocument=json.dumps(ALLOW))["Policy"]["Arn"]
        platform.client("iam").create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(ALLOW), SetAsDefault=True)
        platform.kill()
        platform.start()
        assert platform.client("iam").get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v2"
    finally:
        platform.stop()
