"""A small project for tests of `parvis dev`: one HTTP API, one function in TypeScript, one table."""
import json
import threading
import time
import urllib.error
import urllib.request

TEMPLATE = """\
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting: {Type: String, Default: hello}
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
  Notes:
    Type: AWS::Serverless::SimpleTable
    Properties:
      PrimaryKey: {Name: id, Type: String}
  Hello:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: esbuild, BuildProperties: {EntryPoints: [hello.ts], External: ["@aws-sdk/*"]}}
    Properties:
      Runtime: nodejs22.x
      CodeUri: src/
      Handler: hello.handler
      Timeout: 5
      Environment: {Variables: {TABLE: !Ref Notes, GREETING: !Ref Greeting, SECRET: ""}}
      Policies: [{DynamoDBCrudPolicy: {TableName: !Ref Notes}}]
      Events:
        Get: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: "/notes/{id}", Method: get}}
        Put: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: "/notes/{id}", Method: put}}
Outputs:
  Table: {Value: !Ref Notes}
"""

SOURCE = """\
import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';

const client = new DynamoDBClient({});
const TableName = process.env.TABLE;

export const handler = async (event: any) => {
  const id: string = event.pathParameters.id;
  console.log('looking for', id);
  if (event.requestContext.http.method === 'PUT') {
    await client.send(new PutItemCommand({ TableName, Item: { id: { S: id }, text: { S: event.body ?? '' } } }));
  }
  const found = await client.send(new GetItemCommand({ TableName, Key: { id: { S: id } } }));
  return { greeting: process.env.GREETING, secret: process.env.SECRET, text: found.Item?.text.S ?? null,
    custom: event.headers['x-custom'] ?? null, trace: process.env._X_AMZN_TRACE_ID };
};
"""


def make_project(folder):
    (folder / "src").mkdir(parents=True)
    (folder / "template.yaml").write_text(TEMPLATE)
    (folder / "src/hello.ts").write_text(SOURCE)
    return folder


def call(url, method="GET", body=None, headers=None):
    request = urllib.request.Request(url, method=method, data=None if body is None else body.encode(), headers={"Content-Type": "text/plain", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


def wait_for(what, timeout=10):
    """Calls `what` until it gives something; that, or None."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.02)
    return None


class Events:
    """Reads /_parvis/events on a thread."""

    def __init__(self, url):
        self.seen, self.opened = [], threading.Event()
        self.answer = urllib.request.urlopen(f"{url}/_parvis/events", timeout=60)
        threading.Thread(target=self.read, daemon=True).start()
        assert self.opened.wait(5)

    def read(self):
        try:
            for line in self.answer:
                self.opened.set()
                if line.startswith(b"data: "):
                    self.seen.append(json.loads(line[6:]))
        except (OSError, ValueError, AttributeError):
            pass  # the platform or the test ended

    def find(self, type, **members):
        return next((event for event in list(self.seen) if event["type"] == type and all(event.get(k) == v for k, v in members.items())), None)

    def wait(self, type, timeout=10, **members):
        found = wait_for(lambda: self.find(type, **members), timeout)
        assert found, f"no {type} event with {members} among {self.seen}"
        return found
