"""What a template made, read and deleted through the management API with stock boto3."""
import json
import uuid

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "111122223333"
FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:none"
PROXY = {"x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": FUNCTION}}
PROXY_2 = {"x-amazon-apigateway-integration": {"type": "aws_proxy", "payloadFormatVersion": "2.0", "uri": FUNCTION}}
MOCK = {"x-amazon-apigateway-integration": {
    "type": "mock", "requestTemplates": {"application/json": '{"statusCode": 204}'},
    "responses": {"default": {"statusCode": 204, "responseParameters": {"method.response.header.Allow": "'GET'"}}}}}
TEMPLATE = {"Resources": {
    "Rest": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "rest of the stack", "Description": "trips", "Body": {
        "swagger": "2.0", "info": {"title": "trips", "version": "3"}, "paths": {"/trips/{id}/legs": {"get": PROXY, "options": MOCK}}}}},
    "Deployment": {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": {"Ref": "Rest"}, "Description": "first"}},
    "Stage": {"Type": "AWS::ApiGateway::Stage", "Properties": {"RestApiId": {"Ref": "Rest"}, "DeploymentId": {"Ref": "Deployment"}, "StageName": "live",
                                                               "Variables": {"colour": "red"}}},
    "Http": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": "http of the stack", "CorsConfiguration": {"AllowOrigins": ["*"], "MaxAge": 5}, "Body": {
        "openapi": "3.0.1", "info": {"title": "trips"}, "paths": {"/trips": {"get": PROXY_2, "post": PROXY}, "/$default": {"x-amazon-apigateway-any-method": PROXY_2}}}}},
    "HttpStage": {"Type": "AWS::ApiGatewayV2::Stage", "Properties": {"ApiId": {"Ref": "Http"}, "StageName": "$default", "AutoDeploy": True}}},
    "Outputs": {name: {"Value": {"Ref": name}} for name in ("Rest", "Http", "Deployment")}}


def refusal(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]


def without_metadata(answer):
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


@pytest.fixture
def rest(client):
    return client("apigateway")


@pytest.fixture
def http(client):
    return client("apigatewayv2")


@pytest.fixture
def made(client):
    """The outputs of a stack with one API of each kind."""
    stacks, name = client("cloudformation"), "api-" + uuid.uuid4().hex[:8]
    fast = {"Delay": 0.1, "MaxAttempts": 300}
    stacks.create_stack(StackName=name, TemplateBody=json.dumps(TEMPLATE))
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=fast)
    outputs = stacks.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    yield {output["OutputKey"]: output["OutputValue"] for output in outputs}
    stacks.delete_stack(StackName=name)
    stacks.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=fast)


def test_a_rest_api(rest, made):
    api = without_metadata(rest.get_rest_api(restApiId=made["Rest"]))
    created, root = api.pop("createdDate"), api.pop("rootResourceId")
    assert created.year >= 2024 and len(root) == 10
    assert api == {"id": made["Rest"], "name": "rest of the stack", "description": "trips", "version": "3", "apiKeySource": "HEADER",
                   "endpointConfiguration": {"types": ["EDGE"], "ipAddressType": "ipv4"}, "disableExecuteApiEndpoint": False}
    assert made["Rest"] in [each["id"] for page in rest.get_paginator("get_rest_apis").paginate() for each in page["items"]]
    stage = without_metadata(rest.get_stage(restApiId=made["Rest"], stageName="live"))
    assert stage.pop("createdDate") <= stage.pop("lastUpdatedDate")
    assert stage == {"deploymentId": made["Deployment"], "stageName": "live", "cacheClusterEnabled": False, "cacheClusterStatus": "NOT_AVAILABLE",
                     "methodSettings": {}, "variables": {"colour": "red"}, "tracingEnabled": False}
    assert [each["stageName"] for each in rest.get_stages(restApiId=made["Rest"], deploymentId=made["Deployment"])["item"]] == ["live"]
    assert rest.get_stages(restApiId=made["Rest"], deploymentId="none")["item"] == []
    assert [(each["id"], each["description"]) for each in rest.get_deployments(restApiId=made["Rest"])["items"]] == [(made["Deployment"], "first")]
    deployment = rest.get_deployment(restApiId=made["Rest"], deploymentId=made["Deployment"], embed=["apisummary"])
    assert deployment["apiSummary"]["/trips/{id}/legs"]["GET"] == {"authorizationType": "NONE", "apiKeyRequired": False}


def test_the_resources_of_a_rest_api(rest, made):
    plain = rest.get_resources(restApiId=made["Rest"])["items"]
    assert [(each["path"], each.get("pathPart"), each.get("resourceMethods")) for each in plain] == [
        ("/", None, None), ("/trips", "trips", None), ("/trips/{id}", "{id}", None), ("/trips/{id}/legs", "legs", {"GET": {}, "OPTIONS": {}})]
    assert [each.get("parentId") for each in plain] == [None, *[each["id"] for each in plain[:3]]]
    legs = rest.get_resources(restApiId=made["Rest"], embed=["methods"])["items"][3]
    get, options = (legs["resourceMethods"][method] for method in ("GET", "OPTIONS"))
    assert (get["httpMethod"], get["authorizationType"], get["apiKeyRequired"]) == ("GET", "NONE", False)
    assert get["methodIntegration"]["uri"] == f"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
    assert (get["methodIntegration"]["type"], get["methodIntegration"]["timeoutInMillis"]) == ("AWS_PROXY", 29000)
    assert options["methodIntegration"]["integrationResponses"] == {
        "204": {"statusCode": "204", "responseParameters": {"method.response.header.Allow": "'GET'"}}}
    pages = list(rest.get_paginator("get_resources").paginate(restApiId=made["Rest"], PaginationConfig={"PageSize": 3}))
    assert [[each["path"] for each in page["items"]] for page in pages] == [["/", "/trips", "/trips/{id}"], ["/trips/{id}/legs"]]


def test_an_http_api(http, made):
    api = without_metadata(http.get_api(ApiId=made["Http"]))
    assert api.pop("CreatedDate").year >= 2024
    assert api == {"ApiId": made["Http"], "ApiEndpoint": f"https://{made['Http']}.execute-api.eu-west-1.amazonaws.com", "Name": "http of the stack",
                   "ApiKeySelectionExpression": "$request.header.x-api-key", "RouteSelectionExpression": "$request.method $request.path",
                   "ProtocolType": "HTTP", "DisableExecuteApiEndpoint": False, "IpAddressType": "ipv4", "Tags": {},
                   "CorsConfiguration": {"AllowOrigins": ["*"], "AllowCredentials": False, "MaxAge": 5}}
    routes = http.get_routes(ApiId=made["Http"])["Items"]
    assert sorted(each["RouteKey"] for each in routes) == ["$default", "GET /trips", "POST /trips"]
    integrations = {"integrations/" + each["IntegrationId"]: each for each in http.get_integrations(ApiId=made["Http"])["Items"]}
    assert {each["RouteKey"]: integrations[each["Target"]]["PayloadFormatVersion"] for each in routes} == {
        "$default": "2.0", "GET /trips": "2.0", "POST /trips": "1.0"}
    assert {each["IntegrationUri"] for each in integrations.values()} == {FUNCTION}
    pages = list(http.get_paginator("get_routes").paginate(ApiId=made["Http"], PaginationConfig={"PageSize": 2}))
    assert [len(page["Items"]) for page in pages] == [2, 1]
    (stage,) = http.get_stages(ApiId=made["Http"])["Items"]
    assert (stage["StageName"], stage["AutoDeploy"], stage["StageVariables"]) == ("$default", True, {})
    assert http.get_stage(ApiId=made["Http"], StageName="$default")["StageName"] == "$default"


def test_an_api_of_a_stack_can_be_deleted(rest, http, made):
    rest.delete_stage(restApiId=made["Rest"], stageName="live")
    assert rest.get_stages(restApiId=made["Rest"])["item"] == []
    assert rest.delete_rest_api(restApiId=made["Rest"])["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert refusal(rest.get_rest_api, restApiId=made["Rest"])[0] == "NotFoundException"
    http.delete_stage(ApiId=made["Http"], StageName="$default")
    assert http.delete_api(ApiId=made["Http"])["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert made["Http"] not in [each["ApiId"] for each in http.get_apis()["Items"]]


REST_CALLS = [("get_rest_api", {}), ("delete_rest_api", {}), ("get_resources", {}), ("get_stages", {}), ("get_stage", {"stageName": "s"}),
              ("delete_stage", {"stageName": "s"}), ("get_deployments", {}), ("get_deployment", {"deploymentId": "d"})]
HTTP_CALLS = [("get_api", {}), ("delete_api", {}), ("get_routes", {}), ("get_integrations", {}), ("get_stages", {}), ("get_stage", {"StageName": "s"}),
              ("delete_stage", {"StageName": "s"})]


@pytest.mark.parametrize("operation, more", REST_CALLS, ids=[row[0] for row in REST_CALLS])
def test_an_unknown_rest_api(rest, made, operation, more):
    for api in ("none", made["Http"]):  # an API of the other kind is as unknown
        assert refusal(getattr(rest, operation), restApiId=api, **more) == ("NotFoundException", f"Invalid API identifier specified {ACCOUNT}:{api}", 404)


@pytest.mark.parametrize("operation, more", HTTP_CALLS, ids=[row[0] for row in HTTP_CALLS])
def test_an_unknown_http_api(http, made, operation, more):
    for api in ("none", made["Rest"]):
        assert refusal(getattr(http, operation), ApiId=api, **more) == ("NotFoundException", f"Invalid API identifier specified {api}", 404)


def test_another_account_and_region_see_nothing(empty, made):
    import boto3
    for place in ({"region_name": "us-east-1", "aws_access_key_id": ACCOUNT}, {"region_name": "eu-west-1", "aws_access_key_id": "444455556666"}):
        other = {kind: boto3.client(kind, endpoint_url=empty.url, aws_secret_access_key="any", **place) for kind in ("apigateway", "apigatewayv2")}
        assert refusal(other["apigateway"].get_rest_api, restApiId=made["Rest"])[0] == "NotFoundException"
        assert refusal(other["apigatewayv2"].delete_api, ApiId=made["Http"])[0] == "NotFoundException"
        assert made["Rest"] not in [each["id"] for each in other["apigateway"].get_rest_apis()["items"]]


def test_what_is_wrong_in_a_read(rest, http, made):
    assert refusal(rest.get_stage, restApiId=made["Rest"], stageName="none")[1] == "Invalid stage identifier specified"
    assert refusal(http.get_stage, ApiId=made["Http"], StageName="none")[1] == "Invalid stage identifier specified"
    assert refusal(rest.get_deployment, restApiId=made["Rest"], deploymentId="none")[1] == "Invalid Deployment identifier specified"
    for call, arguments, says in [(rest.get_rest_apis, {"limit": 0}, "limit"), (rest.get_rest_apis, {"position": "!"}, "position"),
                                  (rest.get_resources, {"restApiId": made["Rest"], "embed": ["others"]}, "embed"),
                                  (http.get_apis, {"MaxResults": "many"}, "maxResults"), (http.get_apis, {"NextToken": "!"}, "nextToken")]:
        code, message, status = refusal(call, **arguments)
        assert (code, status) == ("BadRequestException", 400) and says in message
