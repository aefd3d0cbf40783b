"""AWS::S3::Bucket as templates use it; the first is the stack that `sam deploy --resolve-s3` makes for itself."""
import json
import subprocess

import pytest

from conftest import Platform, free_port
from test_s3 import client

JOIN = {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":s3:::", {"Ref": "SamCliSourceBucket"}, "/*"]]}
MANAGED = {
    "AWSTemplateFormatVersion": "2010-09-09", "Transform": "AWS::Serverless-2016-10-31", "Description": "Managed Stack for AWS SAM CLI",
    "Metadata": {"SamCliInfo": {"version": "1", "installationId": "unknown"}},
    "Resources": {
        "SamCliSourceBucket": {"Type": "AWS::S3::Bucket", "Properties": {
            "PublicAccessBlockConfiguration": {n: "true" for n in ["BlockPublicPolicy", "BlockPublicAcls", "IgnorePublicAcls", "RestrictPublicBuckets"]},
            "BucketEncryption": {"ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]},
            "VersioningConfiguration": {"Status": "Enabled"}, "Tags": [{"Key": "ManagedStackSource", "Value": "AwsSamCli"}]}},
        "SamCliSourceBucketBucketPolicy": {"Type": "AWS::S3::BucketPolicy", "Properties": {
            "Bucket": {"Ref": "SamCliSourceBucket"},
            "PolicyDocument": {"Statement": [
                {"Action": ["s3:GetObject"], "Effect": "Allow", "Resource": JOIN, "Principal": {"Service": "serverlessrepo.amazonaws.com"},
                 "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}},
                {"Action": ["s3:*"], "Effect": "Deny", "Resource": [JOIN], "Principal": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}}}},
    "Outputs": {"SourceBucket": {"Value": {"Ref": "SamCliSourceBucket"}}}}


def start(request, tmp_path, template):
    file = tmp_path / "template.json"
    file.write_text(json.dumps(template))
    return Platform(request.config.getoption("--binary"), tmp_path, str(file), "--sync", "always", "--no-watch")


def test_the_stack_of_sam(request, tmp_path):
    running = start(request, tmp_path, MANAGED)
    try:
        s3 = client(running)
        bucket, = [b["Name"] for b in s3.list_buckets()["Buckets"]]
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
        rule, = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
        assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
        assert {"Key": "ManagedStackSource", "Value": "AwsSamCli"} in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
        assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=bucket)["Policy"]
        running.said("BucketEncryption.*without encryption")
    finally:
        running.stop()


def test_settings_change_with_the_template(request, tmp_path):
    def template(**properties):
        return {"Resources": {"Files": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "files-bucket", **properties}}},
                "Outputs": {"Dual": {"Value": {"Fn::GetAtt": ["Files", "DualStackDomainName"]}}}}
    running = start(request, tmp_path, template(
        VersioningConfiguration={"Status": "Enabled"}, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        PublicAccessBlockConfiguration={"BlockPublicAcls": False},
        BucketEncryption={"ServerSideEncryptionConfiguration": [{"BucketKeyEnabled": "true", "ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]},
        CorsConfiguration={"CorsRules": [{"Id": "r", "AllowedOrigins": ["*"], "AllowedMethods": ["GET"], "ExposedHeaders": ["ETag"], "MaxAge": "60"}]}))
    try:
        s3 = client(running)
        at = {"Bucket": "files-bucket"}
        assert s3.get_bucket_cors(**at)["CORSRules"] == [
            {"ID": "r", "AllowedOrigins": ["*"], "AllowedMethods": ["GET"], "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60}]
        assert s3.get_bucket_encryption(**at)["ServerSideEncryptionConfiguration"]["Rules"][0]["BucketKeyEnabled"]
        assert not any(s3.get_public_access_block(**at)["PublicAccessBlockConfiguration"].values())
        version = s3.put_object(**at, Key="k", Body=b"kept")["VersionId"]
        running.kill()
        (tmp_path / "template.json").write_text(json.dumps(template()))
        running.start()
        s3 = client(running)
        assert s3.get_bucket_versioning(**at)["Status"] == "Suspended"
        for call, error in [(s3.get_bucket_cors, "NoSuchCORSConfiguration"), (s3.get_public_access_block, "NoSuchPublicAccessBlockConfiguration"),
                            (s3.get_bucket_ownership_controls, "OwnershipControlsNotFoundError")]:
            with pytest.raises(s3.exceptions.ClientError, match=error):
                call(**at)
        assert s3.get_object(**at, Key="k", VersionId=version)["Body"].read() == b"kept"
    finally:
        running.stop()


def test_what_is_not_applied_is_refused_by_name(binary, tmp_path):
    names = {"LifecycleConfiguration": {"Rules": []}, "WebsiteConfiguration": {"IndexDocument": "i"}, "ObjectLockEnabled": True,
             "VersioningConfiguration": {"Status": "Enabled", "Days": 1}}
    (tmp_path / "t.json").write_text(json.dumps({"Resources": {"Files": {"Type": "AWS::S3::Bucket", "Properties": names}}}))
    done = subprocess.run([binary, "dev", str(tmp_path / "t.json"), "--no-watch", "--port", str(free_port()), "--data-dir", str(tmp_path / "d")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
    assert done.returncode != 0
    for name in ["LifecycleConfiguration", "WebsiteConfiguration", "ObjectLockEnabled", "VersioningConfiguration.Days"]:
        assert f"the property {name} " in done.stdout, done.stdout
