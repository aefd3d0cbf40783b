"""APIs made through the management API with stock boto3: imported or made quickly, deployed, called, changed, deleted."""
import io
import json
import urllib.error
import urllib.request
import uuid
import zipfile

import pytest
from botocore.exceptions import ClientError

CODE = """exports.handler = async (event) => ({statusCode: 200, headers: {"content-type": "text/plain"},
  body: [event.version ?? "rest", event.resource ?? event.routeKey, event.stageVariables?.colour].join(" ")});"""


def refusal(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["Error"]["Message"]


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as failed:
        return failed.code, failed.read().decode()


def make_function(functions):
    name, package = "api-" + uuid.uuid4().hex[:8], io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("index.js", CODE)
    functions.create_function(FunctionName=name, Runtime="nodejs22.x", Handler="index.handler", Role="arn:aws:iam::111122223333:role/r",
                              Code={"ZipFile": package.getvalue()})
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]


def rest_body(uri, *paths, title="trips", **more):
    proxy = {"x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": uri}}
    return json.dumps({"swagger": "2.0", "info": {"title": title, "version": "1", "description": "of " + title},
                       "paths": {path: {"get": proxy} for path in paths}, **more})


def http_body(uri, *paths, title="trips", **more):
    proxy = {"x-amazon-apigateway-integration": {"type": "aws_proxy", "payloadFormatVersion": "2.0", "uri": uri}}
    return json.dumps({"openapi": "3.0.1", "info": {"title": title}, "paths": {path: {"get": proxy} for path in paths}, **more})


@pytest.fixture
def rest(client):
    return client("apigateway")


@pytest.fixture
def http(client):
    return client("apigatewayv2")


@pytest.fixture(scope="module")
def function(client):
    functions = client("lambda")
    arn = make_function(functions)
    yield arn
    functions.delete_function(FunctionName=arn.rsplit(":", 1)[1])


def test_a_rest_api_from_import_to_deletion(rest, empty, function):
    api = rest.import_rest_api(body=rest_body(function, "/trips/{id}"))
    assert (api["name"], api["version"], api["description"]) == ("trips", "1", "of trips")
    url = f"{empty.url}/_aws/execute-api/{api['id']}/live/trips/7"
    assert get(url)[0] == 403
    first = rest.create_deployment(restApiId=api["id"], stageName="live", stageDescription="for all", variables={"colour": "red"}, description="one")
    assert (first["description"], "apiSummary" in first) == ("one", False)
    assert get(url) == (200, "rest /trips/{id} red")
    stage = rest.get_stage(restApiId=api["id"], stageName="live")
    assert (stage["deploymentId"], stage["description"], stage["variables"]) == (first["id"], "for all", {"colour": "red"})
    # A change of the API is served once it is deployed.
    changed = rest.put_rest_api(restApiId=api["id"], mode="overwrite", body=rest_body(function, "/journeys", title="journeys"))
    assert (changed["id"], changed["name"], changed["description"]) == (api["id"], "journeys", "of journeys")
    assert [each["path"] for each in rest.get_resources(restApiId=api["id"])["items"]] == ["/", "/journeys"]
    assert get(url)[0] == 200
    second = rest.create_deployment(restApiId=api["id"])["id"]
    assert get(url)[0] == 200
    stage = rest.create_stage(restApiId=api["id"], stageName="next", deploymentId=second, variables={"colour": "blue"}, tags={"team": "a"})
    assert (stage["deploymentId"], stage["variables"], stage["tags"]) == (second, {"colour": "blue"}, {"team": "a"})
    assert get(f"{empty.url}/_aws/execute-api/{api['id']}/next/journeys") == (200, "rest /journeys blue")
    rest.update_stage(restApiId=api["id"], stageName="live", patchOperations=[
        {"op": "replace", "path": "/deploymentId", "value": second}, {"op": "replace", "path": "/variables/colour", "value": "green"}])
    assert get(url)[0] == 403
    assert get(f"{empty.url}/_aws/execute-api/{api['id']}/live/journeys") == (200, "rest /journeys green")
    assert len(rest.get_deployments(restApiId=api["id"])["items"]) == 2
    rest.delete_rest_api(restApiId=api["id"])
    assert get(f"{empty.url}/_aws/execute-api/{api['id']}/live/journeys")[0] == 403


def test_update_stage_by_rows(rest, function):
    api = rest.import_rest_api(body=rest_body(function, "/a"))["id"]
    deployment = rest.create_deployment(restApiId=api, stageName="s", variables={"a": "1", "b": "2"})["id"]

    def patch(**operation):
        return rest.update_stage(restApiId=api, stageName="s", patchOperations=[operation])

    assert patch(op="remove", path="/variables/a")["variables"] == {"b": "2"}
    assert patch(op="replace", path="/variables/c", value="3")["variables"] == {"b": "2", "c": "3"}
    assert patch(op="replace", path="/description", value="text")["description"] == "text"
    for operation, says in [({"op": "replace", "path": "/cacheClusterEnabled", "value": "true"}, "/cacheClusterEnabled"),
                            ({"op": "copy", "path": "/variables/a"}, "copy"), ({"op": "replace", "path": "/deploymentId", "value": "none"}, "deployment"),
                            ({"op": "replace", "path": "/variables/d", "value": "not allowed!"}, "Stage variable 'd'"),
                            ({"op": "move", "path": "/variables/a", "from": "/variables/b"}, "patchOperations[].from")]:
        code, message = refusal(patch, **operation)
        assert code == "BadRequestException" and says in message
    stage = rest.get_stage(restApiId=api, stageName="s")  # nothing was half applied
    assert (stage["deploymentId"], stage["variables"], stage["description"]) == (deployment, {"b": "2", "c": "3"}, "text")
    assert refusal(rest.update_stage, restApiId=api, stageName="none", patchOperations=[])[0] == "NotFoundException"
    rest.delete_rest_api(restApiId=api)


def test_an_http_api_from_import_to_deletion(http, empty, function):
    api = http.import_api(Body=http_body(function, "/trips"))
    assert (api["Name"], api["ProtocolType"]) == ("trips", "HTTP")
    stage = http.create_stage(ApiId=api["ApiId"], StageName="$default", AutoDeploy=True, StageVariables={"colour": "red"})
    assert (stage["StageName"], stage["AutoDeploy"], stage["StageVariables"]) == ("$default", True, {"colour": "red"})
    url = f"{empty.url}/_aws/execute-api/{api['ApiId']}"
    assert get(url + "/trips") == (200, "2.0 GET /trips red")
    assert http.reimport_api(ApiId=api["ApiId"], Body=http_body(function, "/journeys", title="journeys"))["Name"] == "journeys"
    assert get(url + "/trips")[0] == 404
    assert get(url + "/journeys")[0] == 200
    http.delete_api(ApiId=api["ApiId"])
    assert get(url + "/journeys")[0] == 403


def test_quick_creation(http, empty, function):
    api = http.create_api(Name="quick", ProtocolType="HTTP", Target=function, Version="2", Tags={"team": "a"},
                          CorsConfiguration={"AllowOrigins": ["https://a.test"], "AllowMethods": ["GET"]})
    assert (api["Name"], api["Version"], api["Tags"]) == ("quick", "2", {"team": "a"})
    assert api["CorsConfiguration"] == {"AllowOrigins": ["https://a.test"], "AllowMethods": ["GET"], "AllowCredentials": False}
    assert [each["StageName"] for each in http.get_stages(ApiId=api["ApiId"])["Items"]] == ["$default"]
    assert get(f"{empty.url}/_aws/execute-api/{api['ApiId']}/any/path") == (200, "2.0 $default ")
    one = http.create_api(Name="one", ProtocolType="HTTP", Target=function, RouteKey="GET /pets")["ApiId"]
    assert [each["RouteKey"] for each in http.get_routes(ApiId=one)["Items"]] == ["GET /pets"]
    request = urllib.request.Request(f"{empty.url}/pets", headers={"Host": f"{one}.execute-api.eu-west-1.localhost"})
    assert get(request) == (200, "2.0 GET /pets ")
    plain = http.create_api(Name="plain", ProtocolType="HTTP")["ApiId"]
    assert (http.get_routes(ApiId=plain)["Items"], http.get_stages(ApiId=plain)["Items"]) == ([], [])
    for id in (api["ApiId"], one, plain):
        http.delete_api(ApiId=id)


def test_pages_of_apis(rest, http, function):
    rests = {rest.import_rest_api(body=rest_body(function, "/a"))["id"] for _ in range(5)}
    https = {http.create_api(Name="page", ProtocolType="HTTP")["ApiId"] for _ in range(5)}
    pages = [page["items"] for page in rest.get_paginator("get_rest_apis").paginate(PaginationConfig={"PageSize": 2})]
    assert all(len(page) == 2 for page in pages[:-1]) and len(pages) >= 3
    assert rests <= {each["id"] for page in pages for each in page}
    pages = [page["Items"] for page in http.get_paginator("get_apis").paginate(PaginationConfig={"PageSize": "2"})]
    assert all(len(page) == 2 for page in pages[:-1]) and len(pages) >= 3
    assert https <= {each["ApiId"] for page in pages for each in page}
    for id in rests:
        rest.delete_rest_api(restApiId=id)
    for id in https:
        http.delete_api(ApiId=id)


ARN = "arn:aws:lambda:eu-west-1:111122223333:function:f"
REST_IMPORTS = [
    ("not_json", b"{", {}, "not valid JSON"), ("yaml", b"swagger: '2.0'\n", {}, "YAML"), ("list", b"[]", {}, "Body: must be an object"),
    ("no_title", b'{"swagger": "2.0", "paths": {}}', {}, "API name is required"),
    ("too_deep", b'{"a":' * 10_000, {}, "not valid JSON"),
    ("key", rest_body(ARN, "/a", security=[{"key": []}]), {}, "Body.security"),
    ("target", rest_body("https://elsewhere.test/", "/a"), {}, "Body.paths./a.get.x-amazon-apigateway-integration.uri"),
    ("parameter", rest_body(ARN, "/a"), {"parameters": {"basepath": "prepend"}}, "parameters.basepath"),
]


@pytest.mark.parametrize("body, more, says", [row[1:] for row in REST_IMPORTS], ids=[row[0] for row in REST_IMPORTS])
def test_what_an_import_refuses(rest, function, body, more, says):
    before = {each["id"] for page in rest.get_paginator("get_rest_apis").paginate() for each in page["items"]}
    code, message = refusal(rest.import_rest_api, body=body, **more)
    assert code == "BadRequestException" and says in message
    assert before == {each["id"] for page in rest.get_paginator("get_rest_apis").paginate() for each in page["items"]}


def test_what_a_change_refuses(rest, http, function):
    api = rest.import_rest_api(body=rest_body(function, "/a"))["id"]
    deployment = rest.create_deployment(restApiId=api, stageName="s")["id"]
    quick = http.create_api(Name="q", ProtocolType="HTTP", Target=function)["ApiId"]
    stage = {"restApiId": api, "stageName": "t", "deploymentId": deployment}
    rows = [
        (rest.put_rest_api, {"restApiId": api, "body": rest_body(function, "/b")}, "BadRequestException", "mode"),
        (rest.put_rest_api, {"restApiId": api, "mode": "merge", "body": rest_body(function, "/b")}, "BadRequestException", "mode"),
        (rest.put_rest_api, {"restApiId": api, "mode": "overwrite", "body": "{"}, "BadRequestException", "JSON"),
        (rest.put_rest_api, {"restApiId": "none", "mode": "overwrite", "body": "{}"}, "NotFoundException", ":none"),
        (rest.create_deployment, {"restApiId": api, "variables": {"a": "1"}}, "BadRequestException", "stageName"),
        (rest.create_deployment, {"restApiId": api, "stageName": "not allowed"}, "BadRequestException", "Stage name"),
        (rest.create_deployment, {"restApiId": quick}, "NotFoundException", quick),
        (rest.create_stage, {**stage, "stageName": "s"}, "ConflictException", "Stage already exists"),
        (rest.create_stage, {**stage, "deploymentId": "none"}, "BadRequestException", "deployment"),
        (rest.create_stage, {**stage, "cacheClusterEnabled": True}, "BadRequestException", "cacheClusterEnabled"),
        (rest.create_stage, {**stage, "canarySettings": {"percentTraffic": 1}}, "BadRequestException", "canarySettings"),
        (http.create_stage, {"ApiId": quick, "StageName": "$default", "AutoDeploy": True}, "ConflictException", "Stage already exists"),
        (http.create_stage, {"ApiId": quick, "StageName": "t"}, "BadRequestException", "autoDeploy"),
        (http.create_stage, {"ApiId": api, "StageName": "t", "AutoDeploy": True}, "NotFoundException", api),
        (http.create_api, {"Name": "w", "ProtocolType": "WEBSOCKET"}, "BadRequestException", "ProtocolType 'WEBSOCKET'"),
        (http.create_api, {"Name": "w", "ProtocolType": "HTTP", "Target": "https://elsewhere.test/"}, "BadRequestException", "target"),
        (http.create_api, {"Name": "w", "ProtocolType": "HTTP", "RouteKey": "GET /a"}, "BadRequestException", "routeKey"),
        (http.create_api, {"Name": "w", "ProtocolType": "HTTP", "Target": ARN, "RouteKey": "FETCH /a"}, "BadRequestException", "'FETCH' is not a method"),
        (http.create_api, {"Name": "w", "ProtocolType": "HTTP", "RouteSelectionExpression": "$request.body.action"}, "BadRequestException", "routeSelectionExpression"),
        (http.create_api, {"Name": "w", "ProtocolType": "HTTP", "CorsConfiguration": {"AllowOrigins": ["*"], "AllowCredentials": True}},
         "BadRequestException", "corsConfiguration"),
        (http.import_api, {"Body": "openapi: 3.0.1"}, "BadRequestException", "YAML"),
        (http.import_api, {"Body": http_body(function, "/a"), "Basepath": "split"}, "BadRequestException", "Basepath 'split'"),
        (http.reimport_api, {"ApiId": "none", "Body": "{}"}, "NotFoundException", "Invalid API identifier specified none"),
    ]
    for call, arguments, code, says in rows:
        got = refusal(call, **arguments)
        assert got[0] == code and says in got[1], (call.__name__, arguments, got)
    assert [each["path"] for each in rest.get_resources(restApiId=api)["items"]] == ["/", "/a"]
    assert [each["stageName"] for each in rest.get_stages(restApiId=api)["item"]] == ["s"]
    rest.delete_rest_api(restApiId=api)
    http.delete_api(ApiId=quick)
