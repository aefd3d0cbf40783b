"""A SAM template with a layer, a published alias, a function URL and event settings, in `parvis dev`; an edit publishes a version."""
import json
import time
import urllib.request

import boto3
import pytest

from conftest import Platform

TEMPLATE = """\
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Words:
    Type: AWS::Serverless::LayerVersion
    Metadata: {BuildMethod: nodejs22.x}
    Properties: {LayerName: words, ContentUri: layer/, CompatibleRuntimes: [nodejs22.x], RetentionPolicy: Delete}
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: nodejs22.x
      CodeUri: src/
      Handler: index.handler
      Layers: [!Ref Words]
      AutoPublishAlias: live
      FunctionUrlConfig: {AuthType: NONE, InvokeMode: RESPONSE_STREAM, Cors: {AllowOrigins: ["*"], MaxAge: 5}}
      EventInvokeConfig: {MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60}
  Shared:
    Type: AWS::Lambda::LayerVersionPermission
    Properties: {LayerVersionArn: !Ref Words, Action: lambda:GetLayerVersion, Principal: 111122223333}
Outputs:
  Url: {Value: !GetAtt HelloUrl.FunctionUrl}
  Alias: {Value: !Ref Hello.Alias}
  Version: {Value: !Ref Hello.Version}
"""
SOURCE = """const word = require('word');
exports.handler = awslambda.streamifyResponse(async (event, out) => {
  out = awslambda.HttpResponseStream.from(out, { statusCode: 200, headers: { 'content-type': 'text/plain' } });
  out.write(`TEXT ${word} ${process.env.AWS_LAMBDA_FUNCTION_VERSION}`);
  out.end();
});
"""


@pytest.fixture
def platform(binary, tmp_path):
    project = tmp_path / "project"
    for path, text in {"template.yaml": TEMPLATE, "src/index.js": SOURCE.replace("TEXT", "one"), "layer/package.json": "{}",
                       "layer/node_modules/word/index.js": "module.exports = 'first';"}.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text)
    running = Platform(binary, tmp_path / "data", str(project))
    running.project = project
    yield running
    running.stop()


def read(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def test_layers_aliases_and_urls_of_a_template(platform):
    functions = boto3.client("lambda", endpoint_url=platform.url, region_name="us-east-1", aws_access_key_id="000000000000", aws_secret_access_key="x")
    url = platform.said(r"function +(http://localhost:\d+/_aws/lambda-url/\w+/)")[1]
    assert read(url) == "one first 1"
    function = next(f["FunctionName"] for f in functions.list_functions()["Functions"])
    assert functions.get_alias(FunctionName=function, Name="live")["FunctionVersion"] == "1"
    assert functions.get_function_event_invoke_config(FunctionName=function, Qualifier="live")["MaximumRetryAttempts"] == 0
    assert len(json.loads(functions.get_layer_version_policy(LayerName="words", VersionNumber=1)["Policy"])["Statement"]) == 1

    (platform.project / "src/index.js").write_text(SOURCE.replace("TEXT", "two"))
    deadline = time.monotonic() + 30
    while read(url) != "two first 2":
        assert time.monotonic() < deadline, platform.output()
        time.sleep(0.1)
    (platform.project / "layer/node_modules/word/index.js").write_text("module.exports = 'second';")

    def layers():
        return [v["Version"] for v in functions.list_layer_versions(LayerName="words")["LayerVersions"]]
    while layers() != [2]:  # RetentionPolicy: Delete
        assert time.monotonic() < deadline + 30, platform.output()
        time.sleep(0.1)
    # As on AWS, SAM publishes a version for new code, not for a new layer: the version keeps the layer that it was published with.
    assert read(url) == "two first 2"
    (platform.project / "src/index.js").write_text(SOURCE.replace("TEXT", "three"))
    while read(url) != "three second 3":
        assert time.monotonic() < deadline + 60, platform.output()
        time.sleep(0.1)


def test_provisioned_concurrency_of_a_template(binary, tmp_path):
    """SAM's AutoPublishAlias with ProvisionedConcurrencyConfig: there before the first call, and moved along by an edit."""
    project = tmp_path / "provisioned"
    (project / "src").mkdir(parents=True)
    source = "exports.handler = async () => `${process.env.AWS_LAMBDA_INITIALIZATION_TYPE} ${process.env.AWS_LAMBDA_FUNCTION_VERSION}`;"
    (project / "src/index.js").write_text(source)
    (project / "template.yaml").write_text("""Transform: AWS::Serverless-2016-10-31
Resources:
  Ready:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: ready, Runtime: nodejs22.x, CodeUri: src/, Handler: index.handler, AutoPublishAlias: live, ProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: 2}}
""")
    running = Platform(binary, tmp_path / "data", str(project), "--warm", "off")
    try:
        functions = boto3.client("lambda", endpoint_url=running.url, region_name="us-east-1", aws_access_key_id="000000000000", aws_secret_access_key="x")
        now = functions.get_provisioned_concurrency_config(FunctionName="ready", Qualifier="live")
        assert (now["Status"], now["AllocatedProvisionedConcurrentExecutions"]) == ("READY", 2)
        assert json.load(functions.invoke(FunctionName="ready", Qualifier="live")["Payload"]) == "provisioned-concurrency 1"
        (project / "src/index.js").write_text(source + "// again")
        deadline = time.monotonic() + 30
        while (answer := json.load(functions.invoke(FunctionName="ready", Qualifier="live")["Payload"])) != "provisioned-concurrency 2":
            assert time.monotonic() < deadline, (answer, running.output())
            time.sleep(0.1)
        assert functions.get_provisioned_concurrency_config(FunctionName="ready", Qualifier="live")["AllocatedProvisionedConcurrentExecutions"] == 2
    finally:
        running.stop()
