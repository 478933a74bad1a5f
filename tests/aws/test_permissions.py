"""With IAM enforced (`make aws-iam`), whatever a function was denied meanwhile is a finding."""

import os

import pytest
from cloud.town import Town

# Before the removal, which is last of all.
pytestmark = [pytest.mark.pipeline, pytest.mark.last]


@pytest.mark.skipif(os.environ.get("SMOOTHER_AWS_AUTH") != "1", reason="IAM is not enforced: `make aws-iam`")
def test_nothing_that_a_function_asked_for_was_denied(town: Town):
    denied = [
        line
        for line in town.deployment.emulator.output().splitlines()
        if "AccessDenied" in line or "is not authorized to perform" in line or "policy denies" in line
    ]
    assert denied == []
