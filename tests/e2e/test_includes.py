"""Files that a template names: DefinitionUri and AWS::Include, from the project's folder in `parvis dev`, from S3 by API."""
import json

import pytest
from botocore.exceptions import ClientError

from conftest import Platform
from project import call, wait_for

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Rest: {Type: AWS::Serverless::Api, Properties: {StageName: web, DefinitionUri: rest.yaml}}
  Http:
    Type: AWS::Serverless::HttpApi
    Properties:
      DefinitionBody:
        openapi: 3.0.1
        info: {title: included, version: "1"}
        paths: {"Fn::Transform": {Name: "AWS::Include", Parameters: {Location: paths.yaml}}}
  Hello:
    Type: AWS::Serverless::Function
    Properties: {Runtime: nodejs22.x, Handler: index.handler, CodeUri: src/}
"""
URI = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Hello.Arn}/invocations"
PATHS = "/included: {get: {x-amazon-apigateway-integration: {type: aws_proxy, httpMethod: POST, payloadFormatVersion: '2.0', uri: !Sub '%s'}}}\n" % URI
REST = "swagger: '2.0'\ninfo: {title: rest, version: '1'}\npaths: {/from-file: {get: {x-amazon-apigateway-integration: {type: aws_proxy, httpMethod: POST, uri: {'Fn::Sub': '%s'}}}}}\n" % URI


def test_files_of_the_project(binary, tmp_path):
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    for name, text in (("template.yaml", TEMPLATE), ("rest.yaml", REST), ("paths.yaml", PATHS), ("src/index.js", "exports.handler = async () => ({ statusCode: 200, body: '1' });")):
        (project / name).write_text(text)
    platform = Platform(binary, tmp_path, str(project))
    try:
        assert sorted(call(platform.api(i) + path)[0] for i in (0, 1) for path in ("/from-file", "/included"))[:2] == [200, 200]
        (project / "paths.yaml").write_text(PATHS.replace("/included", "/renamed"))
        assert wait_for(lambda: 200 in [call(platform.api(i) + "/renamed")[0] for i in (0, 1)]), platform.output()
        (project / "paths.yaml").write_text("a: [")
        platform.said(r"error paths\.yaml:\d+:\d+: ")
        (project / "paths.yaml").unlink()
        platform.said(r"error \S+template\.yaml:10:\d+: paths\.yaml: there is no file \S+; correct the location")
    finally:
        platform.stop()


@pytest.fixture(scope="module")
def stacks(empty):
    s3 = empty.client("s3")
    s3.create_bucket(Bucket="included-files", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="included-files", Key="resources.json", Body=json.dumps({"Second": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Ref": "First"}}}}).encode())
    return empty.client("cloudformation")


def template(location):
    return json.dumps({"Resources": {"First": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}},
                                     "Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": location}}}})


def test_objects_of_s3(stacks):
    stacks.create_stack(StackName="included", TemplateBody=template("s3://included-files/resources.json"), Capabilities=["CAPABILITY_AUTO_EXPAND"])
    stacks.get_waiter("stack_create_complete").wait(StackName="included", WaiterConfig={"Delay": 0.1, "MaxAttempts": 100})
    assert {r["LogicalResourceId"] for r in stacks.describe_stack_resources(StackName="included")["StackResources"]} == {"First", "Second"}
    assert "Second" in stacks.get_template(StackName="included", TemplateStage="Processed")["TemplateBody"]["Resources"]


@pytest.mark.parametrize("location, part", [("s3://included-files/nothing", "S3 error: The specified key does not exist"), ("resources.json", "it is not an object in S3"), ("s3://nothing", "it is not an object in S3")])
def test_what_cannot_be_read_is_refused(stacks, location, part):
    with pytest.raises(ClientError) as failed:
        stacks.create_stack(StackName="not-included", TemplateBody=template(location), Capabilities=["CAPABILITY_AUTO_EXPAND"])
    assert failed.value.response["Error"]["Code"] == "ValidationError" and part in failed.value.response["Error"]["Message"]


def test_it_needs_the_capability(stacks):
    with pytest.raises(ClientError) as failed:
        stacks.create_stack(StackName="not-included", TemplateBody=template("s3://included-files/resources.json"))
    assert failed.value.response["Error"]["Code"] == "InsufficientCapabilitiesException"
