"""Every property that SAM documents for the five resource types, one at a time: it changes what the transform makes, or it is refused or
warned about by name and line. None is dropped in silence.

The names come from aws-sam-translator's documentation (sam-docs.json); a name that is new there fails here until it has a value.
"""
import copy
import glob
import json
import pathlib
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
CODE = {"Bucket": "bucket", "Key": "key"}
FUNCTION = {"Type": "AWS::Serverless::Function", "Properties": {"Runtime": "nodejs22.x", "Handler": "index.handler", "CodeUri": dict(CODE)}}
API = {"Type": "AWS::Serverless::Api", "Properties": {"StageName": "web"}}
HTTP_API = {"Type": "AWS::Serverless::HttpApi", "Properties": {}}
TABLE = {"Type": "AWS::Serverless::SimpleTable", "Properties": {}}
LAYER = {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": dict(CODE)}}
OPENAPI = {"openapi": "3.0.1", "info": {"title": "t", "version": "1"}, "paths": {}}
SWAGGER = {"swagger": "2.0", "info": {"title": "t", "version": "1"}, "paths": {}}


def event(type_, **properties):
    """The function with one event, and where the event's properties stand."""
    function = copy.deepcopy(FUNCTION)
    function["Properties"]["Events"] = {"E": {"Type": type_, "Properties": properties}}
    return function, ("Events", "E", "Properties")


def under(resource, *path, **members):
    """The resource with `members` at `path` of its properties, and that path."""
    resource = copy.deepcopy(resource)
    resource["Properties"].pop(path[0], None)
    here = resource["Properties"]
    for step in path:
        here = here.setdefault(step, {})
    here.update(members)
    return resource, path


URL = {"AuthType": "NONE"}
# Page of the documentation: a resource that is good without the property, the path where the page's properties stand, values.
PAGES = {
    "sam-resource-function": ((FUNCTION, ()), dict(
        Architectures=["arm64"], AssumeRolePolicyDocument={"Version": "2012-10-17", "Statement": []}, AutoPublishAlias="live", AutoPublishAliasAllProperties=True,
        AutoPublishCodeSha256="a" * 64, CapacityProviderConfig={"Arn": "a"}, CodeSigningConfigArn="arn", CodeUri={"Bucket": "bucket", "Key": "other"}, DeadLetterQueue={"Type": "SQS", "TargetArn": "arn"},
        DeploymentPreference={"Type": "AllAtOnce"}, Description="x", DurableConfig={"ExecutionTimeout": 1}, Environment={"Variables": {"A": "b"}}, EphemeralStorage={"Size": 1024},
        EventInvokeConfig={"MaximumRetryAttempts": 1}, Events={"E": {"Type": "Api", "Properties": {"Path": "/a", "Method": "get"}}}, FileSystemConfigs=[{"Arn": "a", "LocalMountPath": "/mnt/a"}],
        FunctionName="name", FunctionScalingConfig={"MinExecutionEnvironments": 1}, FunctionUrlConfig=URL, Handler="other.handler", ImageConfig={"Command": ["a"]}, ImageUri="image",
        InlineCode="exports.handler = 1", KmsKeyArn="arn", Layers=["arn"], LoggingConfig={"LogFormat": "JSON"}, MemorySize=256, PackageType="Image", PermissionsBoundary="arn",
        Policies=["AWSLambdaExecute"], PropagateTags=True, ProvisionedConcurrencyConfig={"ProvisionedConcurrentExecutions": 1}, PublishToLatestPublished=True, RecursiveLoop="Allow",
        ReservedConcurrentExecutions=1, Role="arn:aws:iam::111122223333:role/r", RolePath="/a/", Runtime="nodejs20.x", RuntimeManagementConfig={"UpdateRuntimeOn": "Auto"},
        SnapStart={"ApplyOn": "PublishedVersions"}, SourceKMSKeyArn="arn", Tags={"a": "b"}, TenancyConfig={"TenantIsolationMode": "PER_TENANT"}, Timeout=5, Tracing="Active",
        VersionDeletionPolicy="Delete", VersionDescription="x", VpcConfig={"SubnetIds": ["s"]})),
    "sam-property-function-functioncode": (under(FUNCTION, "CodeUri", **CODE), dict(Bucket="other", Key="other", StorageMode="COPY", Version="1")),
    "sam-property-function-deadletterqueue": (under(FUNCTION, "DeadLetterQueue", Type="SQS", TargetArn="arn"), dict(TargetArn="b", Type="SNS")),
    "sam-property-function-deploymentpreference": (under(FUNCTION, "DeploymentPreference"), dict(
        Alarms=["a"], Enabled=False, Hooks={"PreTraffic": "a"}, PassthroughCondition=True, Role="arn", TriggerConfigurations=[{}], Type="AllAtOnce")),
    "sam-property-function-eventinvokeconfiguration": (under(FUNCTION, "EventInvokeConfig", MaximumRetryAttempts=2), dict(
        DestinationConfig={"OnFailure": {"Type": "Lambda", "Destination": "arn"}}, MaximumEventAgeInSeconds=60, MaximumRetryAttempts=1)),
    "sam-property-function-eventinvokedestinationconfiguration": (under(FUNCTION, "EventInvokeConfig", "DestinationConfig"), dict(
        OnFailure={"Type": "Lambda", "Destination": "arn"}, OnSuccess={"Type": "Lambda", "Destination": "arn"})),
    "sam-property-function-onfailure": (under(FUNCTION, "EventInvokeConfig", "DestinationConfig", "OnFailure", Type="Lambda", Destination="arn"), dict(Destination="other", Type="SQS")),
    "sam-property-function-onsuccess": (under(FUNCTION, "EventInvokeConfig", "DestinationConfig", "OnSuccess", Type="Lambda", Destination="arn"), dict(Destination="other", Type="SQS")),
    "sam-property-function-functionurlconfig": (under(FUNCTION, "FunctionUrlConfig", **URL), dict(AuthType="AWS_IAM", Cors={"AllowOrigins": ["*"]}, InvokeMode="RESPONSE_STREAM")),
    "sam-property-function-eventsource": ((event("Api", Path="/a", Method="get")[0], ("Events", "E")), dict(Type="Schedule", Properties={"Path": "/b", "Method": "get"})),
    "sam-property-function-api": (event("Api", Path="/a", Method="get"), dict(
        Auth={"ApiKeyRequired": True}, Method="post", Path="/b", RequestModel={"Model": "m"}, RequestParameters=["method.request.header.A"], RestApiId={"Ref": "Api"}, TimeoutInMillis=1000,
        ResponseTransferMode="STREAM")),
    "sam-property-function-httpapi": (event("HttpApi", Path="/a", Method="get"), dict(
        ApiId={"Ref": "HttpApi"}, Auth={"Authorizer": "a"}, Method="post", Path="/b", PayloadFormatVersion="1.0", RouteSettings={"ThrottlingBurstLimit": 1}, TimeoutInMillis=1000)),
    "sam-property-function-schedule": (event("Schedule", Schedule="rate(1 hour)"), dict(
        DeadLetterConfig={"Arn": "a"}, Description="x", Enabled=False, Input="{}", Name="n", RetryPolicy={"MaximumRetryAttempts": 1}, Schedule="rate(2 hours)", State="DISABLED")),
    "sam-resource-api": ((API, ()), dict(
        AccessLogSetting={"Format": "a"}, AlwaysDeploy=True, ApiKeySourceType="HEADER", Auth={"ApiKeyRequired": True}, BinaryMediaTypes=["image~1png"], CacheClusterEnabled=True, CacheClusterSize="0.5",
        CanarySetting={"PercentTraffic": 5}, Cors="'*'", DefinitionBody=SWAGGER, DefinitionUri="s3://bucket/key", Description="x", DisableExecuteApiEndpoint=True, Domain={"DomainName": "a", "CertificateArn": "b"},
        EndpointAccessMode="STRICT", EndpointConfiguration="REGIONAL", FailOnWarnings=True, GatewayResponses={"DEFAULT_4XX": {"StatusCode": 400}}, MergeDefinitions=True,
        MethodSettings=[{"HttpMethod": "*", "ResourcePath": "/*", "LoggingLevel": "INFO"}], MinimumCompressionSize=100, Mode="overwrite", Models={"m": {"type": "object"}}, Name="n", OpenApiVersion="3.0.1",
        Policy={"Statement": []}, PropagateTags=True, SecurityPolicy="TLS_1_2", StageName="other", Tags={"a": "b"}, TracingEnabled=True, Variables={"a": "b"})),
    "sam-property-api-corsconfiguration": (under(API, "Cors", AllowOrigin="'https://a'"), dict(
        AllowCredentials=True, AllowHeaders="'a'", AllowMethods="'GET'", AllowOrigin="'https://b'", MaxAge="'5'")),
    "sam-property-api-endpointconfiguration": (under(API, "EndpointConfiguration", Type="REGIONAL"), dict(Type="PRIVATE", VPCEndpointIds=["a"])),
    "sam-property-api-apidefinition": (under(API, "DefinitionUri", **CODE), dict(Bucket="other", Key="other", Version="1")),
    "sam-resource-httpapi": ((HTTP_API, ()), dict(
        AccessLogSettings={"Format": "a"}, Auth={"EnableIamAuthorizer": True}, CorsConfiguration=True, DefaultRouteSettings={"ThrottlingBurstLimit": 1}, DefinitionBody=OPENAPI, DefinitionUri="s3://bucket/key",
        Description="x", DisableExecuteApiEndpoint=True, Domain={"DomainName": "a", "CertificateArn": "b"}, FailOnWarnings=True, Name="n", PropagateTags=True,
        RouteSettings={"GET /a": {"ThrottlingBurstLimit": 1}}, StageName="other", StageVariables={"a": "b"}, Tags={"a": "b"})),
    "sam-property-httpapi-httpapicorsconfiguration": (under(HTTP_API, "CorsConfiguration", AllowOrigins=["https://a"]), dict(
        AllowCredentials=True, AllowHeaders=["a"], AllowMethods=["GET"], AllowOrigins=["https://b"], ExposeHeaders=["a"], MaxAge=5)),
    "sam-property-httpapi-httpapidefinition": (under(HTTP_API, "DefinitionUri", **CODE), dict(Bucket="other", Key="other", Version="1")),
    "sam-resource-simpletable": ((TABLE, ()), dict(
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}, PrimaryKey={"Name": "a", "Type": "Number"}, ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
        SSESpecification={"SSEEnabled": True}, TableName="name", Tags={"a": "b"})),
    "sam-property-simpletable-primarykeyobject": (under(TABLE, "PrimaryKey", Name="a", Type="String"), dict(Name="b", Type="Number")),
    "sam-property-simpletable-provisionedthroughputobject": (under(TABLE, "ProvisionedThroughput", ReadCapacityUnits=1, WriteCapacityUnits=1), dict(ReadCapacityUnits=2, WriteCapacityUnits=2)),
    "sam-resource-layerversion": ((LAYER, ()), dict(
        CompatibleArchitectures=["arm64"], CompatibleRuntimes=["nodejs22.x"], ContentUri={"Bucket": "bucket", "Key": "other"}, Description="x", LayerName="name", LicenseInfo="x",
        PublishLambdaVersion=False, RetentionPolicy="Delete")),
    "sam-property-layerversion-layercontent": (under(LAYER, "ContentUri", **CODE), dict(Bucket="other", Key="other", StorageMode="COPY", Version="1")),
}
ALIAS = {"AutoPublishAlias": "live"}
# What has no effect alone, on AWS either: the properties that it goes with.
HELPED = {
    "sam-resource-function": {"AutoPublishAliasAllProperties": ALIAS, "AutoPublishCodeSha256": ALIAS, "VersionDescription": ALIAS, "VersionDeletionPolicy": ALIAS, "ProvisionedConcurrencyConfig": ALIAS,
                              "PropagateTags": {"Tags": {"a": "b"}}, "PackageType": {"ImageUri": "image"}},
    "sam-resource-api": {"PropagateTags": {"Tags": {"a": "b"}}},
    "sam-property-function-eventsource": {"Type": {"Events": {"E": {"Type": "Api", "Properties": {"Schedule": "rate(1 hour)"}}}}},
}
# The translator gives an HTTP API's tags to all that it makes of it, with or without PropagateTags.
NEUTRAL = {"sam-resource-httpapi": {"PropagateTags"}}
OTHERS = {"Api": API, "HttpApi": HTTP_API}


def docs():
    found = glob.glob(str(ROOT / "build/tools/test/lib/python3*/site-packages/samtranslator/internal/schema_source/sam-docs.json"))
    assert len(found) == 1, "run script/setup --test"
    return json.loads(pathlib.Path(found[0]).read_text())["properties"]


class Plain(yaml.SafeDumper):
    def ignore_aliases(self, _):
        return True


class Walk:
    def __init__(self, binary, folder):
        self.binary, self.file = binary, folder / "template.yaml"

    def run(self, command, resource):
        resources = {"R": resource, **OTHERS}
        if resource["Type"] == API["Type"]:  # without a route there is nothing that CORS could stand on
            resources["Route"] = copy.deepcopy(FUNCTION)
            resources["Route"]["Properties"]["Events"] = {"E": {"Type": "Api", "Properties": {"Path": "/a", "Method": "get", "RestApiId": {"Ref": "R"}}}}
        text = yaml.dump({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}, sort_keys=False, Dumper=Plain)
        self.file.write_text(text)
        done = subprocess.run([self.binary, command, str(self.file)], capture_output=True, text=True, timeout=30)
        return done, text.splitlines()

    def what_happens(self, base, path, name, value, also=()):
        with_it = copy.deepcopy(base)
        here = with_it["Properties"] if path != ("Events", "E") else with_it["Properties"]["Events"]["E"]
        for step in path if path != ("Events", "E") else ():
            here = here[step]
        here[name] = value
        checked, lines = self.run("validate", with_it)
        for line in checked.stderr.splitlines():
            assert line.startswith(f"{self.file}:"), f"no line is named: {line}"
            number = int(line.removeprefix(f"{self.file}:").split(":")[0])
            there = lines[number - 1]
            if any(one in line for one in (name, *also)) or name in there or (path and f"{path[-1]}:" in there) or there.strip() == f"{(path or ['E'])[min(1, len(path) - 1)]}:":
                return "warned" if "warning:" in line else "refused"
        assert checked.returncode == 0, f"{name} is not named:\n{checked.stderr}"
        before, after = self.run("transform", base)[0], self.run("transform", with_it)[0]
        assert before.returncode == 0 and after.returncode == 0, before.stderr + after.stderr
        return "applied" if before.stdout != after.stdout else "silent"


@pytest.mark.parametrize("page", PAGES)
def test_no_property_is_dropped_in_silence(binary, tmp_path, page):
    (base, path), values = PAGES[page]
    assert set(docs()[page]) == set(values), "the documentation has other properties"
    walk, silent = Walk(binary, tmp_path), []
    for name, value in values.items():
        resource = copy.deepcopy(base)
        helped = HELPED.get(page, {}).get(name, {})
        resource["Properties"].update(copy.deepcopy(helped))
        if walk.what_happens(resource, path, name, value, helped) == "silent":
            silent.append(name)
    assert set(silent) == NEUTRAL.get(page, set())


STRANGE = [(page, base, path) for page, ((base, path), _) in PAGES.items()]


@pytest.mark.parametrize("page, base, path", STRANGE, ids=[page for page, *_ in STRANGE])
def test_a_name_that_nobody_knows_is_refused(binary, tmp_path, page, base, path):
    assert Walk(binary, tmp_path).what_happens(base, path, "Colour", "red") == "refused"
