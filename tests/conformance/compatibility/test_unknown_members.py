"""Members that the pinned models do not know, as a newer SDK would send them: ignored, as AWS's protocols do, and told."""
import urllib.error
import urllib.request

import pytest

from events import events_of

# name, service, method, path, headers, body, operation, what is told
ROWS = [
    ("json", "dynamodb", "POST", "/", {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0"},
     '{"Limit": 1, "Turbo": {"On": true}}', "ListTables", ["Turbo"]),
    ("json_below", "logs", "POST", "/", {"X-Amz-Target": "Logs_20140328.DescribeLogGroups", "Content-Type": "application/x-amz-json-1.1"},
     '{"limit": 1, "sortBy": "name"}', "DescribeLogGroups", ["sortBy"]),
    ("rest_json_body", "lambda", "POST", "/2017-03-31/tags/arn:aws:lambda:eu-west-1:111122223333:function:unknown", {"Content-Type": "application/json"},
     '{"Tags": {"a": "b"}, "Turbo": 1}', "TagResource", ["Turbo"]),
    ("rest_json_query", "lambda", "GET", "/2015-03-31/functions/?MaxItems=1&Turbo=1", {}, None, "ListFunctions", ["?Turbo"]),
    ("rest_json_header", "lambda", "GET", "/2015-03-31/functions/", {"X-Amz-Turbo": "1"}, None, "ListFunctions", ["x-amz-turbo:"]),
    ("query", "sts", "POST", "/", {"Content-Type": "application/x-www-form-urlencoded"},
     "Action=GetCallerIdentity&Version=2011-06-15&Turbo.member.1=1", "GetCallerIdentity", ["Turbo.member.1"]),
    ("rest_xml_body", "s3", "PUT", "/unknown-members?tagging", {},
     "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value><Turbo/></Tag></TagSet></Tagging>", "PutBucketTagging", ["Tag.Turbo"]),
    ("rest_xml_query", "s3", "GET", "/unknown-members?list-type=2&turbo=1", {}, None, "ListObjectsV2", ["?turbo"]),
    ("rest_xml_header", "s3", "PUT", "/unknown-members/key", {"x-amz-turbo": "1"}, "bytes", "PutObject", ["x-amz-turbo:"]),
]


@pytest.fixture(scope="module", autouse=True)
def bucket(empty):
    empty.client("s3").create_bucket(Bucket="unknown-members", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})


@pytest.mark.parametrize("service, method, path, headers, body, operation, told", [r[1:] for r in ROWS], ids=[r[0] for r in ROWS])
def test_ignored_and_told(empty, service, method, path, headers, body, operation, told):
    scope = f"AWS4-HMAC-SHA256 Credential=111122223333/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    request = urllib.request.Request(empty.url + path, method=method, data=body.encode() if body else None,
                                     headers={**headers, "Authorization": scope})
    with events_of(empty) as events:
        try:
            urllib.request.urlopen(request, timeout=10)
        except urllib.error.HTTPError as error:
            assert error.code == 404 and operation == "TagResource"  # the function is not there; its members were read before
        assert events.call(operation)["ignored"] == told
        line = f"{service}:{operation} does not know these members, they were ignored: "
        events.first(lambda event: any(l.endswith(line + str(told).replace("'", '"')) for l in empty.output().splitlines()))
