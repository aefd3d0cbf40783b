"""Buckets in host names, presigned URLs, and pages of other origins."""
import http.client
import json
import urllib.parse

import boto3
import pytest
from botocore.config import Config

from test_s3 import bucket, client, code, platform, s3  # noqa: F401


@pytest.fixture
def hosts(monkeypatch):
    """Every name is this machine, as a browser and systemd's resolver treat *.localhost."""
    import socket
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: resolve("127.0.0.1" if str(host).endswith(".localhost") else host, *rest, **more))


def virtual(platform, host, region="us-east-1", **config):
    return boto3.client("s3", endpoint_url=f"http://{host}:{platform.port}", region_name=region, aws_access_key_id="000000000000",
                        aws_secret_access_key="x", config=Config(s3={"addressing_style": "virtual"}, retries={"max_attempts": 1}, **config))


@pytest.mark.parametrize("host", ["localhost", "s3.localhost", "s3.us-east-1.localhost"])
def test_bucket_in_the_host(platform, s3, bucket, hosts, host):
    there = virtual(platform, host)
    for key in ["k", "a/b", "/x", "a b/ü+"]:
        there.put_object(Bucket=bucket, Key=key, Body=key.encode())
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
        assert there.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert there.list_objects_v2(Bucket=bucket)["KeyCount"] == 4
    assert there.list_object_versions(Bucket=bucket)["Versions"][0]["VersionId"] == "null"
    assert there.head_bucket(Bucket=bucket)["BucketRegion"] == "us-east-1"
    there.upload_file(__file__, bucket, "file")
    there.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in ["k", "a/b", "/x", "a b/ü+", "file"]]})
    there.delete_bucket(Bucket=bucket)
    assert code(s3.head_bucket, Bucket=bucket) == ("404", 404)
    s3.create_bucket(Bucket=bucket)


def request(platform, method, path, host=None, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", platform.port)
    connection.request(method, path, body=body, headers={"Host": host or f"localhost:{platform.port}", **headers})
    answer = connection.getresponse()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()


@pytest.mark.parametrize("style", ["path", "virtual"])
def test_presigned_urls(platform, bucket, hosts, style):
    there = boto3.client("s3", endpoint_url=f"http://localhost:{platform.port}", region_name="us-east-1", aws_access_key_id="000000000000",
                         aws_secret_access_key="x", config=Config(s3={"addressing_style": style}, signature_version="s3v4"))
    for method, operation, body in [("PUT", "put_object", b"presigned"), ("GET", "get_object", None)]:
        url = urllib.parse.urlsplit(there.generate_presigned_url(operation, Params={"Bucket": bucket, "Key": "a/k"}))
        assert url.netloc.startswith(bucket) == (style == "virtual")
        status, _, text = request(platform, method, f"{url.path}?{url.query}", url.netloc, body)
        assert status == 200, text
    assert text == "presigned"


def test_a_region_of_its_own(platform):
    far = boto3.client("s3", endpoint_url=platform.url, region_name="eu-west-1", aws_access_key_id="000000000000", aws_secret_access_key="x")
    far.create_bucket(Bucket="far-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert far.get_bucket_location(Bucket="far-bucket")["LocationConstraint"] == "eu-west-1"


ORIGIN = "https://shop.example.com"


def test_cors_is_kept(s3, bucket):
    rules = [{"ID": "r", "AllowedOrigins": [ORIGIN], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60}]
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == rules
    for rule, part in [({"AllowedOrigins": ["*"], "AllowedMethods": ["PATCH"]}, "Unsupported method is PATCH"),
                       ({"AllowedOrigins": ["a*b*"], "AllowedMethods": ["GET"]}, "more than one wildcard"),
                       ({"AllowedOrigins": ["*"], "AllowedMethods": ["GET"], "ExposeHeaders": ["x-*"]}, "contains wildcard")]:
        with pytest.raises(Exception, match=part):
            s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    s3.delete_bucket_cors(Bucket=bucket)
    assert code(s3.get_bucket_cors, Bucket=bucket) == ("NoSuchCORSConfiguration", 404)


def test_pages_of_other_origins(platform, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type, x-amz-date"}
    status, _, text = request(platform, "OPTIONS", f"/{bucket}/k", **asked)
    assert status == 403 and "CORS is not enabled for this bucket" in text
    assert request(platform, "GET", f"/{bucket}/k", Origin=ORIGIN)[0] == 403
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [
        {"AllowedOrigins": ["https://*.example.com"], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["Content-Type", "x-amz-*"],
         "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60}]})
    status, headers, _ = request(platform, "OPTIONS", f"/{bucket}/k", **asked)
    assert status == 200 and headers["access-control-allow-origin"] == ORIGIN and headers["access-control-allow-methods"] == "GET, PUT"
    assert headers["access-control-allow-headers"] == "content-type, x-amz-date" and headers["access-control-max-age"] == "60"
    assert request(platform, "OPTIONS", "/k", f"{bucket}.localhost:{platform.port}", **asked)[0] == 200
    status, headers, text = request(platform, "GET", f"/{bucket}/k", Origin=ORIGIN)
    assert (status, text) == (200, "1") and headers["access-control-allow-origin"] == ORIGIN and headers["access-control-expose-headers"] == "ETag"
    assert request(platform, "OPTIONS", f"/{bucket}/k", **{**asked, "Access-Control-Request-Method": "DELETE"})[0] == 403
    assert request(platform, "DELETE", f"/{bucket}/k", Origin=ORIGIN)[0] == 403
    assert request(platform, "GET", f"/{bucket}/k", "rebound.example.com", Origin=ORIGIN)[0] == 403
    assert request(platform, "OPTIONS", f"/{bucket}/k", **{"Access-Control-Request-Method": "GET"})[0] == 400
    # The bucket's rules open the bucket, not the platform.
    status, _, text = request(platform, "POST", "/", body=b"{}", Origin=ORIGIN, **{"X-Amz-Target": "DynamoDB_20120810.ListTables"})
    assert status == 403 and "may not use this port" in json.loads(text)["message"]
    status, _, text = request(platform, "GET", f"/{bucket}/k", Origin=ORIGIN, **{"X-Amz-Target": "DynamoDB_20120810.ListTables"})
    assert status == 403


def test_signature_version_2_is_refused(platform, bucket):
    status, _, text = request(platform, "GET", f"/{bucket}/k?AWSAccessKeyId=000000000000&Signature=abc&Expires=4102444800")
    assert status == 400 and "Please use AWS4-HMAC-SHA256" in text
    status, _, text = request(platform, "GET", f"/{bucket}/k", Authorization="AWS 000000000000:abc")
    assert status == 400 and "<Code>InvalidRequest</Code>" in text
