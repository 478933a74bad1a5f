"""Last of all: the stack is removed as docs/aws.md says, with data in it."""

import boto3
import pytest
from cloud.deployment import Deployment
from cloud.town import Town


@pytest.mark.pipeline
@pytest.mark.last
def test_a_removed_stack_leaves_nothing_behind(deployment: Deployment, town: Town):
    s3 = deployment.client("s3")
    bucket = deployment.outputs["BedrockCallsBucketName"]
    s3.put_object(Bucket=bucket, Key="inbox/left", Body=b"x")
    town.close()
    # CloudFormation removes no bucket that holds something.
    boto3.resource("s3", endpoint_url=deployment.emulator.url).Bucket(bucket).objects.all().delete()
    deployment.destroy()

    mine = f"{deployment.context['name']}-"
    named = {
        "tables": deployment.client("dynamodb").list_tables()["TableNames"],
        "queues": [url.rsplit("/", 1)[1] for url in town.sqs.list_queues().get("QueueUrls", [])],
        "functions": [one["FunctionName"] for one in deployment.client("lambda").list_functions()["Functions"]],
        "buckets": [one["Name"] for one in s3.list_buckets()["Buckets"]],
        "topics": [one["TopicArn"].rsplit(":", 1)[1] for one in deployment.client("sns").list_topics()["Topics"]],
        "roles": [one["RoleName"] for one in deployment.client("iam").list_roles()["Roles"]],
        "logs": [one["logGroupName"] for one in deployment.client("logs").describe_log_groups()["logGroups"]],
    }
    left = {kind: [name for name in names if name.startswith(mine)] for kind, names in named.items()}
    assert left == {kind: [] for kind in named}
