"""The pipeline that the smoother is measured beside: a function that calls Bedrock for each message of a queue."""

import json
import os

import botocore.session

session = botocore.session.get_session()
bedrock, sqs = session.create_client("bedrock-runtime"), session.create_client("sqs")


def handler(event, _context):
    for record in event["Records"]:
        asked = json.loads(record["body"])
        answer = bedrock.converse(
            modelId=os.environ["MODEL"],
            messages=[{"role": "user", "content": [{"text": asked["prompt"]}]}],
            inferenceConfig={"maxTokens": asked["max_tokens"]},
        )
        told = {"message": record["messageId"], "output": answer["output"]}
        sqs.send_message(QueueUrl=os.environ["ANSWERS"], MessageBody=json.dumps(told))
