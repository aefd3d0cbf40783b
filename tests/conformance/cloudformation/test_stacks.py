"""Stacks, change sets, exports and templates with stock boto3. Runs unchanged against another endpoint."""
import json
import time
import uuid

import pytest
from botocore.exceptions import ClientError, WaiterError

TABLE = {"Type": "AWS::DynamoDB::Table", "Properties": {
    "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}}
FAST = {"Delay": 0.1, "MaxAttempts": 300}


def template(**sections):
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Description": "a table", "Resources": {"Items": TABLE},
                       "Outputs": {"Name": {"Value": {"Ref": "Items"}, "Description": "its name"}}, **sections})


def with_key(name, kind="S"):
    table = json.loads(json.dumps(TABLE))
    table["Properties"]["AttributeDefinitions"][0] = {"AttributeName": name, "AttributeType": kind}
    table["Properties"]["KeySchema"][0]["AttributeName"] = name
    return table


@pytest.fixture
def stacks(empty):
    return empty.client("cloudformation")


@pytest.fixture
def name(stacks):
    name = "s" + uuid.uuid4().hex[:10]
    yield name
    for stack in (name, name + "b"):
        try:
            stacks.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
        except ClientError:
            pass
        stacks.delete_stack(StackName=stack)


def created(stacks, name, **more):
    if "TemplateURL" not in more:
        more = {"TemplateBody": template(), **more}
    answer = stacks.create_stack(StackName=name, **more)
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=FAST)
    return answer["StackId"]


def until(stacks, name, status):
    for _ in range(300):
        if (now := stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]) == status:
            return
        time.sleep(0.05)
    assert now == status


def refusal(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]


def test_create_describe_delete(empty, stacks, name):
    stack_id = created(stacks, name, Tags=[{"Key": "team", "Value": "web"}], ClientRequestToken="first-token")
    assert stack_id.startswith("arn:aws:cloudformation:") and f":stack/{name}/" in stack_id
    (stack,) = stacks.describe_stacks(StackName=name)["Stacks"]
    assert (stack["StackStatus"], stack["Description"], stack["Tags"]) == ("CREATE_COMPLETE", "a table", [{"Key": "team", "Value": "web"}])
    (output,) = stack["Outputs"]
    table = output["OutputValue"]
    assert output == {"OutputKey": "Name", "OutputValue": table, "Description": "its name"}
    assert empty.client("dynamodb").describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE"
    assert stacks.describe_stacks(StackName=stack_id)["Stacks"][0]["StackName"] == name

    events = [e for page in stacks.get_paginator("describe_stack_events").paginate(StackName=name) for e in page["StackEvents"]]
    told = [(e["LogicalResourceId"], e["ResourceStatus"]) for e in reversed(events)]
    assert told == [(name, "CREATE_IN_PROGRESS"), ("Items", "CREATE_IN_PROGRESS"), ("Items", "CREATE_COMPLETE"), (name, "CREATE_COMPLETE")]
    assert events[-1]["ResourceStatusReason"] == "User Initiated"
    assert len({e["EventId"] for e in events}) == len(events) and {e["ClientRequestToken"] for e in events} == {"first-token"}

    assert stacks.describe_stack_resource(StackName=name, LogicalResourceId="Items")["StackResourceDetail"]["PhysicalResourceId"] == table
    assert [r["LogicalResourceId"] for r in stacks.describe_stack_resources(PhysicalResourceId=table)["StackResources"]] == ["Items"]
    assert [r["ResourceStatus"] for r in stacks.list_stack_resources(StackName=name)["StackResourceSummaries"]] == ["CREATE_COMPLETE"]
    assert stacks.get_template(StackName=name)["TemplateBody"] == json.loads(template())

    stacks.delete_stack(StackName=name)
    stacks.get_waiter("stack_delete_complete").wait(StackName=stack_id, WaiterConfig=FAST)
    assert stacks.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
    assert refusal(stacks.describe_stacks, StackName=name) == {"Type": "Sender", "Code": "ValidationError", "Message": f"Stack with id {name} does not exist"}
    assert [e["ResourceStatus"] for e in stacks.describe_stack_events(StackName=stack_id)["StackEvents"]][:2] == ["DELETE_COMPLETE", "DELETE_COMPLETE"]
    listed = [s for page in stacks.get_paginator("list_stacks").paginate(StackStatusFilter=["DELETE_COMPLETE"]) for s in page["StackSummaries"]]
    assert stack_id in [s["StackId"] for s in listed]
    assert refusal(empty.client("dynamodb").describe_table, TableName=table)["Code"] == "ResourceNotFoundException"


def test_update(empty, stacks, name):
    created(stacks, name)
    assert refusal(stacks.update_stack, StackName=name, TemplateBody=template())["Message"] == "No updates are to be performed."
    assert refusal(stacks.update_stack, StackName=name, UsePreviousTemplate=True)["Message"] == "No updates are to be performed."
    stacks.update_stack(StackName=name, TemplateBody=template(Resources={"Items": TABLE, "More": with_key("key")}))
    stacks.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=FAST)
    assert {r["LogicalResourceId"] for r in stacks.list_stack_resources(StackName=name)["StackResourceSummaries"]} == {"Items", "More"}
    stacks.update_stack(StackName=name, UsePreviousTemplate=True, Tags=[{"Key": "a", "Value": "b"}])
    stacks.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=FAST)
    assert stacks.describe_stacks(StackName=name)["Stacks"][0]["Tags"] == [{"Key": "a", "Value": "b"}]


def test_a_failed_creation_is_rolled_back(stacks, name):
    broken = template(Resources={"Items": TABLE, "Bucket": {"Type": "AWS::S3::Bucket", "DependsOn": "Items", "Properties": {"BucketName": "Not_A_Bucket"}}})
    stack_id = stacks.create_stack(StackName=name, TemplateBody=broken)["StackId"]
    with pytest.raises(WaiterError):
        stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=FAST)
    until(stacks, name, "ROLLBACK_COMPLETE")
    events = stacks.describe_stack_events(StackName=name)["StackEvents"]
    started = next(e for e in events if e["ResourceStatus"] == "ROLLBACK_IN_PROGRESS")
    assert started["ResourceStatusReason"] == "The following resource(s) failed to create: [Bucket]. Rollback requested by user."
    assert ("Items", "DELETE_COMPLETE") in [(e["LogicalResourceId"], e["ResourceStatus"]) for e in events]
    assert refusal(stacks.update_stack, StackName=name, TemplateBody=template())["Message"] == f"Stack:{stack_id} is in ROLLBACK_COMPLETE state and can not be updated."
    assert refusal(stacks.create_stack, StackName=name, TemplateBody=template())["Code"] == "AlreadyExistsException"


@pytest.mark.parametrize("then, status", [("DO_NOTHING", "CREATE_FAILED"), ("DELETE", "DELETE_COMPLETE")])
def test_on_failure(stacks, name, then, status):
    broken = template(Resources={"Items": TABLE, "Bucket": {"Type": "AWS::S3::Bucket", "DependsOn": "Items", "Properties": {"BucketName": "Not_A_Bucket"}}}, Outputs={})
    stack_id = stacks.create_stack(StackName=name, TemplateBody=broken, OnFailure=then)["StackId"]
    with pytest.raises(WaiterError):
        stacks.get_waiter("stack_create_complete").wait(StackName=stack_id, WaiterConfig=FAST)
    until(stacks, stack_id, status)
    assert [r["LogicalResourceId"] for r in stacks.list_stack_resources(StackName=stack_id)["StackResourceSummaries"]] == (["Items"] if then == "DO_NOTHING" else [])


def test_parameters(stacks, name):
    text = template(Parameters={"Stage": {"Type": "String"}, "Secret": {"Type": "String", "NoEcho": True, "Default": "quiet"}},
                    Outputs={"Stage": {"Value": {"Ref": "Stage"}}})
    assert refusal(stacks.create_stack, StackName=name, TemplateBody=text)["Message"] == "Parameters: [Stage] must have values"
    unknown = [{"ParameterKey": "Stage", "ParameterValue": "x"}, {"ParameterKey": "Other", "ParameterValue": "y"}]
    assert refusal(stacks.create_stack, StackName=name, TemplateBody=text, Parameters=unknown)["Message"] == "Parameters: [Other] do not exist in the template"
    created(stacks, name, TemplateBody=text, Parameters=[{"ParameterKey": "Stage", "ParameterValue": "one"}])
    stack = stacks.describe_stacks(StackName=name)["Stacks"][0]
    assert {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]} == {"Stage": "one", "Secret": "****"}
    stacks.update_stack(StackName=name, TemplateBody=text.replace("a table", "b table"), Tags=[{"Key": "k", "Value": "v"}], Parameters=[{"ParameterKey": "Stage", "UsePreviousValue": True}])
    stacks.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=FAST)
    assert stacks.describe_stacks(StackName=name)["Stacks"][0]["Outputs"][0]["OutputValue"] == "one"


def test_capabilities(stacks, name):
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}}
    text = template(Resources={"Role": role}, Outputs={})
    assert refusal(stacks.create_stack, StackName=name, TemplateBody=text) == {
        "Type": "Sender", "Code": "InsufficientCapabilitiesException", "Message": "Requires capabilities : [CAPABILITY_IAM]"}
    named = template(Resources={"Role": {**role, "Properties": {**role["Properties"], "RoleName": name}}}, Outputs={})
    assert refusal(stacks.create_stack, StackName=name, TemplateBody=named, Capabilities=["CAPABILITY_IAM"])["Message"] == "Requires capabilities : [CAPABILITY_NAMED_IAM]"
    assert stacks.validate_template(TemplateBody=text)["Capabilities"] == ["CAPABILITY_IAM"]
    created(stacks, name, TemplateBody=text, Capabilities=["CAPABILITY_IAM"])


def test_termination_protection(stacks, name):
    stack_id = created(stacks, name, EnableTerminationProtection=True)
    assert refusal(stacks.delete_stack, StackName=name)["Message"] == f"Stack [{name}] cannot be deleted while TerminationProtection is enabled"
    assert stacks.update_termination_protection(StackName=name, EnableTerminationProtection=False)["StackId"] == stack_id
    stacks.delete_stack(StackName=name)
    stacks.get_waiter("stack_delete_complete").wait(StackName=stack_id, WaiterConfig=FAST)


def test_exports(stacks, name):
    export = "export-" + name
    created(stacks, name, TemplateBody=template(Outputs={"Name": {"Value": {"Ref": "Items"}, "Export": {"Name": export}}}))
    exports = [e for page in stacks.get_paginator("list_exports").paginate() for e in page["Exports"]]
    assert export in [e["Name"] for e in exports]
    assert refusal(stacks.list_imports, ExportName=export)["Message"] == f"Export '{export}' is not imported by any stack."
    created(stacks, name + "b", TemplateBody=template(Outputs={"Other": {"Value": {"Fn::ImportValue": export}}}))
    assert stacks.list_imports(ExportName=export)["Imports"] == [name + "b"]
    assert "in use by " + name + "b" in refusal(stacks.delete_stack, StackName=name)["Message"]
    stacks.delete_stack(StackName=name + "b")
    stacks.get_waiter("stack_delete_complete").wait(StackName=name + "b", WaiterConfig=FAST)


@pytest.mark.parametrize("body, says", [("{", "Template format error"), ("[]", "Template format error"), ("{}", "At least one Resources member must be defined."),
                                        ('{"Resources": {"A": {"Type": "AWS::Nothing::AtAll"}}}', "AWS::Nothing::AtAll"),
                                        ('{"Resources": {"A": {"Type": "AWS::DynamoDB::Table", "Properties": {"Nonsense": 1}}}}', "Nonsense"),
                                        ('{"Transform": "Mine", "Resources": {"A": {"Type": "AWS::DynamoDB::Table"}}}', "No transform named Mine found.")])
def test_a_wrong_template_is_refused_before_anything_happens(stacks, name, body, says):
    error = refusal(stacks.create_stack, StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_AUTO_EXPAND"])
    assert error["Code"] == "ValidationError" and says in error["Message"]
    assert refusal(stacks.describe_stacks, StackName=name)["Code"] == "ValidationError"


@pytest.mark.parametrize("member, value", [("RoleARN", "arn:aws:iam::123456789012:role/deployer"), ("NotificationARNs", ["arn:aws:sns:us-east-1:123456789012:t"]), ("TimeoutInMinutes", 5),
                                           ("StackPolicyBody", "{}"), ("ResourceTypes", ["AWS::*"])])
def test_what_is_not_supported_is_named(stacks, name, member, value):
    assert member in refusal(stacks.create_stack, StackName=name, TemplateBody=template(), **{member: value})["Message"]


def test_change_sets(stacks, name):
    change = stacks.create_change_set(StackName=name, ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=template(), Description="the first")
    assert ":changeSet/first/" in change["Id"]
    stacks.get_waiter("change_set_create_complete").wait(ChangeSetName=change["Id"], WaiterConfig=FAST)
    assert stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == "REVIEW_IN_PROGRESS"
    shown = stacks.describe_change_set(StackName=name, ChangeSetName="first")
    assert (shown["Status"], shown["ExecutionStatus"], shown["Description"]) == ("CREATE_COMPLETE", "AVAILABLE", "the first")
    assert [c["ResourceChange"]["Action"] for c in shown["Changes"]] == ["Add"]
    assert refusal(stacks.create_change_set, StackName=name, ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=template())["Code"] == "AlreadyExistsException"
    stacks.execute_change_set(ChangeSetName=change["Id"])
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=FAST)
    assert stacks.describe_stacks(StackName=name)["Stacks"][0]["ChangeSetId"] == change["Id"]
    assert stacks.describe_change_set(ChangeSetName=change["Id"])["ExecutionStatus"] == "EXECUTE_COMPLETE"
    assert refusal(stacks.execute_change_set, ChangeSetName=change["Id"])["Code"] == "InvalidChangeSetStatus"

    stacks.create_change_set(StackName=name, ChangeSetName="same", TemplateBody=template())
    same = stacks.describe_change_set(StackName=name, ChangeSetName="same")
    assert (same["Status"], same["StatusReason"]) == ("FAILED", "The submitted information didn't contain changes. Submit different information to create a change set.")
    resources = {"Items": with_key("other"), "More": TABLE}
    stacks.create_change_set(StackName=name, ChangeSetName="replace", TemplateBody=template(Resources=resources))
    changes = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in stacks.describe_change_set(StackName=name, ChangeSetName="replace")["Changes"]}
    assert (changes["Items"]["Action"], changes["Items"]["Replacement"], changes["More"]["Action"]) == ("Modify", "True", "Add")
    assert ("KeySchema", "Always") in [(d["Target"]["Name"], d["Target"]["RequiresRecreation"]) for d in changes["Items"]["Details"]]
    stacks.create_change_set(StackName=name, ChangeSetName="gone", TemplateBody=template(Resources={"More": TABLE}, Outputs={}))
    gone = stacks.describe_change_set(StackName=name, ChangeSetName="gone")["Changes"]
    assert sorted((c["ResourceChange"]["LogicalResourceId"], c["ResourceChange"]["Action"]) for c in gone) == [("Items", "Remove"), ("More", "Add")]
    assert {s["ChangeSetName"] for s in stacks.list_change_sets(StackName=name)["Summaries"]} == {"first", "same", "replace", "gone"}
    stacks.delete_change_set(StackName=name, ChangeSetName="gone")
    stacks.delete_change_set(StackName=name, ChangeSetName="gone")
    assert refusal(stacks.describe_change_set, StackName=name, ChangeSetName="gone")["Code"] == "ChangeSetNotFound"


def test_template_from_s3_and_summary(empty, stacks, name):
    bucket = "templates-" + name
    objects = empty.client("s3")
    objects.create_bucket(Bucket=bucket)
    objects.put_object(Bucket=bucket, Key="a/b c.template", Body=template(Parameters={"P": {"Type": "String", "Default": "d", "AllowedValues": ["d", "e"]}}).encode())
    url = f"https://s3.us-east-1.amazonaws.com/{bucket}/a/b%20c.template"
    created(stacks, name, TemplateURL=url)
    summary = stacks.get_template_summary(StackName=name)
    assert summary["ResourceTypes"] == ["AWS::DynamoDB::Table"]
    assert summary["Parameters"][0]["ParameterConstraints"] == {"AllowedValues": ["d", "e"]}
    assert stacks.validate_template(TemplateURL=f"https://{bucket}.s3.amazonaws.com/a/b%20c.template")["Parameters"][0]["DefaultValue"] == "d"
    assert "S3 error" in refusal(stacks.create_stack, StackName=name + "b", TemplateURL=url + "x")["Message"]
    assert refusal(stacks.create_stack, StackName=name + "b", TemplateURL="ftp://x/y")["Message"] == "TemplateURL must be a supported URL."
