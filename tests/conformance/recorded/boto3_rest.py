"""The listed operations that everyday use of the other clients does not reach, through boto3: argv is the endpoint and the file of a package."""
import json
import sys
import time

import boto3

endpoint, package = sys.argv[1:]
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}]})
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "111122223333"}}]})


def client(service):
    return boto3.client(service, endpoint_url=endpoint)


def until(look):
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def cloudformation():
    api = client("cloudformation")
    template = json.dumps({"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": json.loads(TRUST)}}},
                           "Outputs": {"Role": {"Value": {"Ref": "Role"}, "Export": {"Name": "boto3-role"}}}})
    api.get_template_summary(TemplateBody=template)
    api.create_stack(StackName="boto3", TemplateBody=template, Capabilities=["CAPABILITY_IAM"])
    api.get_waiter("stack_create_complete").wait(StackName="boto3", WaiterConfig={"Delay": 0.2})
    api.update_termination_protection(StackName="boto3", EnableTerminationProtection=False)
    api.describe_stack_resource(StackName="boto3", LogicalResourceId="Role")
    api.list_exports(), api.list_stacks(StackStatusFilter=["CREATE_COMPLETE"])
    changed = template.replace('"Properties": {', '"Properties": {"Description": "changed", ')
    api.create_change_set(StackName="boto3", ChangeSetName="later", TemplateBody=changed, Capabilities=["CAPABILITY_IAM"])
    api.list_change_sets(StackName="boto3"), api.delete_change_set(StackName="boto3", ChangeSetName="later")
    api.update_stack(StackName="boto3", TemplateBody=changed, Capabilities=["CAPABILITY_IAM"])
    api.get_waiter("stack_update_complete").wait(StackName="boto3", WaiterConfig={"Delay": 0.2})


def dynamodb():
    api = client("dynamodb")
    schema = dict(AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}], KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}])
    arn = api.create_table(TableName="boto3", BillingMode="PAY_PER_REQUEST", **schema)["TableDescription"]["TableArn"]
    key = {"p": {"S": "a"}}
    api.update_table(TableName="boto3", StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    api.put_item(TableName="boto3", Item=key)
    api.transact_get_items(TransactItems=[{"Get": {"TableName": "boto3", "Key": key}}])
    api.batch_get_item(RequestItems={"boto3": {"Keys": [key]}})
    api.transact_write_items(TransactItems=[{"Put": {"TableName": "boto3", "Item": {"p": {"S": "b"}}}}])
    api.batch_execute_statement(Statements=[{"Statement": "SELECT * FROM boto3 WHERE p = 'a'"}])
    api.execute_transaction(TransactStatements=[{"Statement": "UPDATE boto3 SET n = 1 WHERE p = 'a'"}])
    api.delete_item(TableName="boto3", Key=key, ReturnValues="ALL_OLD")
    api.describe_time_to_live(TableName="boto3"), api.describe_endpoints(), api.describe_limits()
    api.tag_resource(ResourceArn=arn, Tags=[{"Key": "k", "Value": "v"}])
    api.list_tags_of_resource(ResourceArn=arn), api.untag_resource(ResourceArn=arn, TagKeys=["k"])
    api.put_resource_policy(ResourceArn=arn, Policy=POLICY), api.get_resource_policy(ResourceArn=arn), api.delete_resource_policy(ResourceArn=arn)
    api.update_continuous_backups(TableName="boto3", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
    api.describe_continuous_backups(TableName="boto3")
    backup = api.create_backup(TableName="boto3", BackupName="one")["BackupDetails"]["BackupArn"]
    until(lambda: api.describe_backup(BackupArn=backup)["BackupDescription"]["BackupDetails"]["BackupStatus"] == "AVAILABLE")
    api.list_backups(TableName="boto3")
    api.restore_table_from_backup(TargetTableName="restored", BackupArn=backup)
    api.restore_table_to_point_in_time(SourceTableName="boto3", TargetTableName="restored-too", UseLatestRestorableTime=True)
    api.get_waiter("table_exists").wait(TableName="restored-too", WaiterConfig={"Delay": 1})
    api.delete_backup(BackupArn=backup)
    streams = client("dynamodbstreams")
    stream = streams.list_streams(TableName="boto3")["Streams"][0]["StreamArn"]
    shard = streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = streams.get_shard_iterator(StreamArn=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    streams.get_records(ShardIterator=iterator)


def identity():
    iam = client("iam")
    arn = iam.create_role(RoleName="boto3", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.update_assume_role_policy(RoleName="boto3", PolicyDocument=TRUST), iam.update_role(RoleName="boto3", Description="d", MaxSessionDuration=7200)
    iam.put_role_policy(RoleName="boto3", PolicyName="inline", PolicyDocument=POLICY.replace(', "Principal": "*"', ""))
    iam.get_role_policy(RoleName="boto3", PolicyName="inline"), iam.list_role_policies(RoleName="boto3"), iam.delete_role_policy(RoleName="boto3", PolicyName="inline")
    managed = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    iam.attach_role_policy(RoleName="boto3", PolicyArn=managed), iam.detach_role_policy(RoleName="boto3", PolicyArn=managed)
    iam.tag_role(RoleName="boto3", Tags=[{"Key": "k", "Value": "v"}]), iam.list_role_tags(RoleName="boto3"), iam.untag_role(RoleName="boto3", TagKeys=["k"])
    iam.list_roles()
    client("sts").assume_role(RoleArn=arn, RoleSessionName="session")
    iam.delete_role(RoleName="boto3")


def parameters():
    api = client("ssm")
    api.put_parameter(Name="/boto3/a", Value="1", Type="SecureString"), api.put_parameter(Name="/boto3/b", Value="1,2", Type="StringList", Description="d")
    api.get_parameters(Names=["/boto3/a", "/boto3/b"], WithDecryption=True), api.get_parameter_history(Name="/boto3/a")
    api.describe_parameters(ParameterFilters=[{"Key": "Name", "Option": "BeginsWith", "Values": ["/boto3"]}])
    api.label_parameter_version(Name="/boto3/a", ParameterVersion=1, Labels=["live"])
    api.unlabel_parameter_version(Name="/boto3/a", ParameterVersion=1, Labels=["live"])
    tagged = dict(ResourceType="Parameter", ResourceId="/boto3/a")
    api.add_tags_to_resource(**tagged, Tags=[{"Key": "k", "Value": "v"}]), api.list_tags_for_resource(**tagged), api.remove_tags_from_resource(**tagged, TagKeys=["k"])
    api.delete_parameter(Name="/boto3/a"), api.delete_parameters(Names=["/boto3/b"])


def functions():
    api, name = client("lambda"), dict(FunctionName="boto3")
    with open(package, "rb") as file:
        arn = api.create_function(**name, Runtime="nodejs22.x", Handler="index.handler", Role="arn:aws:iam::111122223333:role/r", Code={"ZipFile": file.read()})["FunctionArn"]
    api.get_function_configuration(**name)
    api.add_permission(**name, StatementId="s", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com")
    api.get_policy(**name), api.remove_permission(**name, StatementId="s")
    api.tag_resource(Resource=arn, Tags={"k": "v"}), api.list_tags(Resource=arn), api.untag_resource(Resource=arn, TagKeys=["k"])
    api.put_function_concurrency(**name, ReservedConcurrentExecutions=5), api.get_function_concurrency(**name), api.delete_function_concurrency(**name)
    api.get_account_settings()
    logs = client("logs")
    logs.create_log_group(logGroupName="boto3"), logs.delete_log_group(logGroupName="boto3")


def objects():
    api, bucket = client("s3"), dict(Bucket="boto3")
    api.create_bucket(**bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    api.list_buckets(), api.get_bucket_location(**bucket), api.get_bucket_versioning(**bucket), api.get_bucket_acl(**bucket)
    api.put_bucket_policy(**bucket, Policy=POLICY), api.get_bucket_policy(**bucket), api.delete_bucket_policy(**bucket)
    api.put_bucket_tagging(**bucket, Tagging={"TagSet": [{"Key": "k", "Value": "v"}]}), api.get_bucket_tagging(**bucket), api.delete_bucket_tagging(**bucket)
    api.put_bucket_encryption(**bucket, ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]})
    api.get_bucket_encryption(**bucket), api.delete_bucket_encryption(**bucket)
    api.put_public_access_block(**bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    api.get_public_access_block(**bucket), api.delete_public_access_block(**bucket)
    api.put_bucket_ownership_controls(**bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
    api.get_bucket_ownership_controls(**bucket), api.delete_bucket_ownership_controls(**bucket)
    api.put_bucket_cors(**bucket, CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]})
    api.get_bucket_cors(**bucket), api.delete_bucket_cors(**bucket)
    one = dict(bucket, Key="k")
    api.put_object(**one, Body=b"1", Tagging="a=b"), api.get_object_acl(**one), api.get_object_attributes(**one, ObjectAttributes=["ETag", "ObjectSize"])
    api.get_object_tagging(**one), api.delete_object_tagging(**one), api.list_objects(**bucket)
    upload = dict(one, UploadId=api.create_multipart_upload(**one)["UploadId"])
    api.upload_part_copy(**upload, PartNumber=1, CopySource="boto3/k")
    api.list_parts(**upload), api.list_multipart_uploads(**bucket), api.abort_multipart_upload(**upload)


for part in (cloudformation, dynamodb, identity, parameters, functions, objects):
    part()
