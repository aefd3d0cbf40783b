"""kill -9 after the management API answered: what was made is there, what was deleted is gone."""
import json

import pytest
from botocore.exceptions import ClientError

from conftest import Platform

ARN = "arn:aws:lambda:eu-west-1:111122223333:function:f"
BODY = json.dumps({"openapi": "3.0.1", "info": {"title": "kept"}, "paths": {"/a": {"get": {
    "x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": ARN}}}}})


def test_acknowledged_changes_survive(binary, tmp_path):
    platform = Platform(binary, tmp_path, "--empty", "--sync", "always")
    try:
        for round in range(3):
            rest, http = platform.client("apigateway"), platform.client("apigatewayv2")
            api = rest.import_rest_api(body=BODY)["id"]
            deployment = rest.create_deployment(restApiId=api, stageName="s", variables={"round": str(round)})["id"]
            gone = http.import_api(Body=BODY)["ApiId"]
            quick = http.create_api(Name="quick", ProtocolType="HTTP", Target=ARN)["ApiId"]
            http.delete_api(ApiId=gone)
            stages = rest.get_stages(restApiId=api)["item"]
            platform.kill()
            platform.start()
            rest, http = platform.client("apigateway"), platform.client("apigatewayv2")
            assert rest.get_stages(restApiId=api)["item"] == stages
            assert (stages[0]["deploymentId"], stages[0]["variables"]) == (deployment, {"round": str(round)})
            assert http.get_stage(ApiId=quick, StageName="$default")["AutoDeploy"] is True
            with pytest.raises(ClientError, match="Invalid API identifier specified " + gone):
                http.get_api(ApiId=gone)
    finally:
        platform.stop()
