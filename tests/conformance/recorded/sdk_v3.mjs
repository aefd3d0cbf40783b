// Everyday use of the AWS SDK for JavaScript v3 from outside the platform: argv is the endpoint, the file of a function's package and a
// template's file. Prints what the services answered, as one JSON object.
import { readFileSync } from "node:fs";
import { CloudFormationClient, CreateStackCommand, DeleteStackCommand, DescribeStackResourcesCommand, DescribeStacksCommand,
  waitUntilStackCreateComplete, waitUntilStackDeleteComplete } from "@aws-sdk/client-cloudformation";
import { CloudWatchLogsClient, CreateLogGroupCommand, CreateLogStreamCommand, DescribeLogStreamsCommand, FilterLogEventsCommand,
  GetLogEventsCommand, PutLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import { CreateTableCommand, DeleteTableCommand, DynamoDBClient, waitUntilTableExists } from "@aws-sdk/client-dynamodb";
import { CreateFunctionCommand, DeleteFunctionCommand, GetFunctionCommand, InvokeCommand, LambdaClient, ListFunctionsCommand,
  UpdateFunctionConfigurationCommand, waitUntilFunctionActiveV2, waitUntilFunctionUpdatedV2 } from "@aws-sdk/client-lambda";
import { CreateBucketCommand, DeleteBucketCommand, DeleteObjectsCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command,
  PutObjectCommand, PutObjectTaggingCommand, S3Client } from "@aws-sdk/client-s3";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { BatchGetCommand, BatchWriteCommand, DynamoDBDocumentClient, GetCommand, paginateScan, PutCommand, QueryCommand, TransactWriteCommand,
  UpdateCommand } from "@aws-sdk/lib-dynamodb";

const [endpoint, packageFile, templateFile] = process.argv.slice(2);
const region = "eu-west-1", waiting = { maxWaitTime: 30, minDelay: 0.1, maxDelay: 0.2 };
const out = {};

out.account = (await new STSClient({ endpoint, region }).send(new GetCallerIdentityCommand({}))).Account;

const dynamodb = new DynamoDBClient({ endpoint, region });
const TableName = "sdk-v3";
await dynamodb.send(new CreateTableCommand({ TableName, BillingMode: "PAY_PER_REQUEST", KeySchema: [{ AttributeName: "p", KeyType: "HASH" },
  { AttributeName: "s", KeyType: "RANGE" }], AttributeDefinitions: [{ AttributeName: "p", AttributeType: "S" }, { AttributeName: "s", AttributeType: "N" }] }));
await waitUntilTableExists({ client: dynamodb, ...waiting }, { TableName });
const items = DynamoDBDocumentClient.from(dynamodb, { marshallOptions: { removeUndefinedValues: true } });
await items.send(new PutCommand({ TableName, Item: { p: "a", s: 1, list: [1, "b", null, { c: true }], set: new Set(["x", "y"]), none: undefined } }));
await items.send(new BatchWriteCommand({ RequestItems: { [TableName]: [2, 3].map((s) => ({ PutRequest: { Item: { p: "a", s } } })) } }));
await items.send(new TransactWriteCommand({ TransactItems: [{ Put: { TableName, Item: { p: "b", s: 1 } } },
  { Update: { TableName, Key: { p: "a", s: 2 }, UpdateExpression: "SET n = :n", ExpressionAttributeValues: { ":n": 5 } } }] }));
out.updated = (await items.send(new UpdateCommand({ TableName, Key: { p: "a", s: 2 }, UpdateExpression: "SET n = n + :one", ConditionExpression: "attribute_exists(p)",
  ExpressionAttributeValues: { ":one": 1 }, ReturnValues: "UPDATED_NEW" }))).Attributes;
const item = (await items.send(new GetCommand({ TableName, Key: { p: "a", s: 1 }, ConsistentRead: true }))).Item;
out.item = { ...item, set: [...item.set] };
out.query = (await items.send(new QueryCommand({ TableName, KeyConditionExpression: "p = :p AND s > :s", ExpressionAttributeValues: { ":p": "a", ":s": 1 },
  ScanIndexForward: false }))).Items.map((each) => each.s);
out.batch = (await items.send(new BatchGetCommand({ RequestItems: { [TableName]: { Keys: [{ p: "b", s: 1 }] } } }))).Responses[TableName];
out.scanned = 0;
for await (const page of paginateScan({ client: items, pageSize: 2 }, { TableName })) out.scanned += page.Count;
try {
  await items.send(new PutCommand({ TableName, Item: { p: "a", s: 1 }, ConditionExpression: "attribute_not_exists(p)" }));
} catch (error) {
  out.condition = error.name;
}
await dynamodb.send(new DeleteTableCommand({ TableName }));

const s3 = new S3Client({ endpoint, region });
const Bucket = "sdk-v3-bucket";
await s3.send(new CreateBucketCommand({ Bucket }));
await s3.send(new PutObjectCommand({ Bucket, Key: "folder/a b.txt", Body: "hello", ContentType: "text/plain", Metadata: { colour: "red" } }));
await s3.send(new PutObjectTaggingCommand({ Bucket, Key: "folder/a b.txt", Tagging: { TagSet: [{ Key: "k", Value: "v" }] } }));
const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "folder/a b.txt" }));
out.head = [head.ContentLength, head.ContentType, head.Metadata.colour];
out.object = await (await s3.send(new GetObjectCommand({ Bucket, Key: "folder/a b.txt" }))).Body.transformToString();
out.range = await (await s3.send(new GetObjectCommand({ Bucket, Key: "folder/a b.txt", Range: "bytes=1-2" }))).Body.transformToString();
out.listed = (await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "folder/" }))).Contents.map((each) => each.Key);
out.missing = await s3.send(new GetObjectCommand({ Bucket, Key: "none" })).catch((error) => error.name);
await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: "folder/a b.txt" }] } }));
await s3.send(new DeleteBucketCommand({ Bucket }));

const lambda = new LambdaClient({ endpoint, region });
const FunctionName = "sdk-v3";
await lambda.send(new CreateFunctionCommand({ FunctionName, Runtime: "nodejs22.x", Handler: "index.handler", Role: "arn:aws:iam::111122223333:role/r",
  Code: { ZipFile: readFileSync(packageFile) }, Environment: { Variables: { GREETING: "hello" } }, Timeout: 10 }));
await waitUntilFunctionActiveV2({ client: lambda, ...waiting }, { FunctionName });
const invoke = async (payload) => lambda.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify(payload), LogType: "Tail" }));
const invoked = await invoke({ name: "ada" });
out.invoked = JSON.parse(invoked.Payload.transformToString());
out.logged = Buffer.from(invoked.LogResult, "base64").toString().includes("called by ada");
out.failed = (await invoke({ fail: true })).FunctionError;
await lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName, Environment: { Variables: { GREETING: "good day" } } }));
await waitUntilFunctionUpdatedV2({ client: lambda, ...waiting }, { FunctionName });
out.updatedFunction = JSON.parse((await invoke({ name: "bob" })).Payload.transformToString());
out.runtime = (await lambda.send(new GetFunctionCommand({ FunctionName }))).Configuration.Runtime;
out.functions = (await lambda.send(new ListFunctionsCommand({ MaxItems: 10 }))).Functions.map((each) => each.FunctionName);
await lambda.send(new DeleteFunctionCommand({ FunctionName }));

const cloudformation = new CloudFormationClient({ endpoint, region });
const StackName = "sdk-v3";
await cloudformation.send(new CreateStackCommand({ StackName, TemplateBody: readFileSync(templateFile, "utf8"), Capabilities: ["CAPABILITY_IAM"] }));
await waitUntilStackCreateComplete({ client: cloudformation, ...waiting }, { StackName });
const [stack] = (await cloudformation.send(new DescribeStacksCommand({ StackName }))).Stacks;
out.stack = [stack.StackStatus, stack.Outputs.map((each) => each.OutputKey)];
out.resources = (await cloudformation.send(new DescribeStackResourcesCommand({ StackName }))).StackResources.map((each) => each.ResourceType);
await cloudformation.send(new DeleteStackCommand({ StackName }));
await waitUntilStackDeleteComplete({ client: cloudformation, ...waiting }, { StackName: stack.StackId });

const logs = new CloudWatchLogsClient({ endpoint, region });
const group = { logGroupName: "/sdk/v3", logStreamName: "one" };
await logs.send(new CreateLogGroupCommand({ logGroupName: group.logGroupName }));
await logs.send(new CreateLogStreamCommand(group));
await logs.send(new PutLogEventsCommand({ ...group, logEvents: [{ timestamp: Date.now(), message: "first line" }, { timestamp: Date.now(), message: "second" }] }));
out.streams = (await logs.send(new DescribeLogStreamsCommand({ logGroupName: group.logGroupName }))).logStreams.map((each) => each.logStreamName);
out.events = (await logs.send(new GetLogEventsCommand({ ...group, startFromHead: true }))).events.map((each) => each.message);
out.filtered = (await logs.send(new FilterLogEventsCommand({ logGroupName: group.logGroupName, filterPattern: "second" }))).events.map((each) => each.message);

console.log(JSON.stringify(out));
