"""A template's property without effect is named with its file and line, and what to do; one that is refused stops the deployment."""
import subprocess

import boto3

from conftest import Platform
from events import wait_for

TEMPLATE = """Resources:
  Trips:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: trips-with-a-warning
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: p, AttributeType: S}]
      KeySchema: [{AttributeName: p, KeyType: HASH}]
      SSESpecification:
        SSEEnabled: true
"""
REFUSED = """      StreamSpecification:
        StreamViewType: KEYS_ONLY
        Tags:
          - Key: a
            Value: b
      Colour: red
"""
WARNING = ":9:7: warning: resource Trips: the property SSESpecification has no effect: items are stored without encryption; "
ERRORS = (":13:9: resource Trips: the property StreamSpecification.Tags is refused: streams have no tags; remove it",
          ":16:7: resource Trips: the property Colour of AWS::DynamoDB::Table is not supported; remove it or check its spelling")


def in_dev(diagnostic):
    """As the live log has it: what it is stands before the file."""
    return diagnostic.replace(" warning:", "")


def validate(binary, path):
    return subprocess.run([binary, "validate", str(path)], capture_output=True, text=True, timeout=30)


def test_validate_names_the_line(binary, tmp_path):
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    done = validate(binary, path)
    assert done.returncode == 0 and done.stderr.startswith(f"{path}{WARNING}")
    path.write_text(TEMPLATE + REFUSED)
    done = validate(binary, path)
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if "warning" not in line] == [f"{path}{error}" for error in ERRORS]


def test_validate_names_types_and_attributes(binary, tmp_path):
    path = tmp_path / "template.yaml"
    path.write_text("Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n    UpdatePolicy: {}\n    Colour: red\n")
    done = validate(binary, path)
    assert done.returncode == 1
    for line, part in ((3, "the type AWS::SNS::Topic is not supported"), (4, "warning: resource Topic: the attribute UpdatePolicy has no effect"),
                       (5, "the attribute Colour is not known")):
        assert f"{path}:{line}:5: " in done.stderr and part in done.stderr


SAM = """Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    Architectures: [arm64]
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: nodejs22.x
      Handler: index.handler
      InlineCode: exports.handler = async () => 1
      VpcConfig:
        SubnetIds: [subnet-1]
      Tracing: Active
  Trips:
    Type: AWS::Serverless::SimpleTable
    Properties:
      SSESpecification: {SSEEnabled: true}
"""


def test_sam_properties_stand_where_they_were_written(binary, tmp_path):
    path = tmp_path / "template.yaml"
    path.write_text(SAM)
    done = validate(binary, path)
    assert done.returncode == 1
    for line, part in ((4, "warning: resource Hello: the property Architectures has no effect"),
                       (13, "resource Hello: the property VpcConfig.SubnetIds is refused: "), (14, "warning: resource Hello: the property TracingConfig.Mode has no effect"),
                       (18, "warning: resource Trips: the property SSESpecification has no effect")):
        assert any(each.startswith(f"{path}:{line}:") and part in each for each in done.stderr.splitlines()), (line, done.stderr)


def test_dev_names_the_line_and_keeps_the_last_good_version(binary, tmp_path):
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    platform = Platform(binary, tmp_path / "data", str(path))
    try:
        wait_for(lambda: f"template.yaml{in_dev(WARNING)}" in platform.output())
        stack = boto3.client("dynamodb", endpoint_url=platform.url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        assert stack.list_tables()["TableNames"] == ["trips-with-a-warning"]
        path.write_text(TEMPLATE + REFUSED)
        for error in ERRORS:
            wait_for(lambda: f"template.yaml{in_dev(error)}" in platform.output())
        assert stack.list_tables()["TableNames"] == ["trips-with-a-warning"]
    finally:
        platform.stop()
