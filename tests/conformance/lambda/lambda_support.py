"""Packages and errors for the tests of Lambda's API."""
import io
import json
import zipfile

import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::111122223333:role/function"


def package(source, name="index.js"):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        if isinstance(source, str):
            source = {name: source}
        for path, text in source.items():
            archive.writestr(path, text)
    return data.getvalue()


def answer(text):
    """A handler that answers `text` with what it knows of itself."""
    return package("exports.handler = async (event, context) => ({ text: %s, version: process.env.AWS_LAMBDA_FUNCTION_VERSION, "
                   "arn: context.invokedFunctionArn, event });" % json.dumps(text))


def make(functions, name, code, **more):
    return functions.create_function(FunctionName=name, Runtime="nodejs22.x", Role=ROLE, Handler="index.handler", Code={"ZipFile": code}, **more)


def call(functions, name, event=None, **more):
    out = functions.invoke(FunctionName=name, Payload=json.dumps(event or {}), **more)
    assert "FunctionError" not in out, out["Payload"].read()
    return json.load(out["Payload"]) | {"executed": out.get("ExecutedVersion")}


def fails(operation, code, part="", **arguments):
    with pytest.raises(ClientError) as failed:
        operation(**arguments)
    error = failed.value.response["Error"]
    assert (error["Code"], part in error["Message"]) == (code, True), error
    return failed.value.response
