"""The SAM transform of the pinned aws-sam-translator, as the oracle of our own.

python3 oracle.py FILE prints the processed template as JSON.
"""
import json
import os
import sys

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

import yaml  # noqa: E402
from samtranslator.translator.transform import transform  # noqa: E402


class _Loader(yaml.SafeLoader):
    pass


def _short_form(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    name = suffix if suffix in ("Ref", "Condition") else "Fn::" + suffix
    return {name: value}


_Loader.add_multi_constructor("!", _short_form)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))


class _NoPolicies:
    def load(self):
        return {}


def oracle(text, parameters=None):
    return transform(yaml.load(text, _Loader), dict(parameters or {}), _NoPolicies())


if __name__ == "__main__":
    print(json.dumps(oracle(open(sys.argv[1]).read()), indent=1))
