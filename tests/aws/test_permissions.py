"""With IAM enforced (`make aws-iam`), whatever a function was denied meanwhile is a finding."""

import os

import boto3
import pytest
from botocore.exceptions import ClientError
from cloud.deployment import REGION
from cloud.town import Town

# Before the removal, which is last of all.
pytestmark = [
    pytest.mark.pipeline,
    pytest.mark.last,
    pytest.mark.skipif(os.environ.get("SMOOTHER_AWS_AUTH") != "1", reason="IAM is not enforced: `make aws-iam`"),
]


def test_nothing_that_a_function_asked_for_was_denied(town: Town):
    denied = [
        line
        for line in town.deployment.emulator.output().splitlines()
        if "AccessDenied" in line or "is not authorized to perform" in line or "policy denies" in line
    ]
    assert denied == []


def test_a_function_may_do_what_it_is_granted_and_nothing_else(town: Town):
    """What was never denied says something only where something would be."""
    deployment = town.deployment
    function = deployment.client("lambda").get_function_configuration(FunctionName=deployment.function("worker"))
    taken = deployment.client("sts").assume_role(RoleArn=function["Role"], RoleSessionName="control")["Credentials"]
    table = boto3.client(
        "dynamodb",
        endpoint_url=deployment.emulator.url,
        region_name=REGION,
        aws_access_key_id=taken["AccessKeyId"],
        aws_secret_access_key=taken["SecretAccessKey"],
        aws_session_token=taken["SessionToken"],
    )
    name, key = town.outputs["RequestsTableName"], {"pk": {"S": "nobody"}, "sk": {"S": "nothing"}}
    assert "Item" not in table.get_item(TableName=name, Key=key)
    with pytest.raises(ClientError, match="AccessDenied"):
        table.scan(TableName=name)
