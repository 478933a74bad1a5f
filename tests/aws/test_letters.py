"""Dead letters of the deployment: listed, shown, sent on their way again, dropped."""

import json

import pytest
from cloud.command import NOT_FOUND, REFUSED, Command
from cloud.lanes import FRAIL
from cloud.town import Town
from house.simulator import Simulator

pytestmark = pytest.mark.pipeline


def kill(town: Town, prompt: str) -> str:
    """A job whose call fails; its id once it is dead, and that is told."""
    job_id = town.submit(FRAIL, prompt)
    told = town.until_told([job_id])[job_id]["job"]
    assert (told["status"], told["dead_letter"]) == ("FAILED", True), told
    return job_id


def letters(town: Town, query: str = "") -> list[str]:
    """The lane's letters, newest first."""
    answer = town.ask("GET", f"/v1/dlq?lane=frail{query}")
    assert answer.status == 200, answer.body
    return [letter["id"] for letter in answer.json()["letters"]]


def test_a_dead_letter_is_redriven_by_its_id_and_completes_under_it(town: Town, simulator: Simulator):
    job_id = kill(town, "The secret. [[sim out=5 fault=500 times=1 id=aws-phoenix]]")
    town.until(lambda: letters(town) == [job_id], "the letter in its list")
    shown = town.ask("GET", f"/v1/dlq/{job_id}")
    assert b"secret" not in shown.body, "the body is given only where it is asked for"
    letter = shown.json()
    assert (letter["error"]["kind"], letter["error"]["status"]) == ("internal", 500)
    assert [(call["number"], call["error"]) for call in letter["calls"]] == [(1, "internal")]
    assert b"secret" in town.ask("GET", f"/v1/dlq/{job_id}?body=true").body

    again = town.ask("POST", f"/v1/dlq/{job_id}/redrive")
    assert again.status == 202 and again.json()["redriven"] is True
    ended = town.until_is("COMPLETED", job_id)
    assert ended["redriven"] == 1
    assert [call["number"] for call in ended["calls"]] == [1, 2]
    assert len(simulator.calls_of("aws-phoenix")) == 2
    # Its second end is told like any other.
    town.until(lambda: town.results.jobs()[job_id]["job"]["status"] == "COMPLETED", "its second end")
    town.until(lambda: letters(town) == [], "an empty list")
    twice = town.ask("POST", f"/v1/dlq/{job_id}/redrive")
    assert twice.status == 200 and twice.json()["redriven"] is False
    assert len(simulator.calls_of("aws-phoenix")) == 2, "nothing was called again"


def test_only_those_that_are_meant_are_redriven_or_dropped(town: Town):
    broken = [kill(town, f"{n} [[sim fault=500 times=1 id=aws-broken-{n} out=1]]") for n in range(3)]
    denied = [kill(town, f"Denied {n}. [[sim fault=403]]") for n in range(2)]
    town.until(lambda: letters(town) == [*reversed(denied), *reversed(broken)], "all letters")
    assert letters(town, "&error=access_denied") == [*reversed(denied)]

    asked = {"lane": "frail", "error": "internal", "limit": 2}
    first = town.ask("POST", "/v1/dlq/redrive", asked).json()
    assert (first["redriven"], first["refused"]) == (2, [])
    rest = town.ask("POST", "/v1/dlq/redrive", {**asked, "cursor": first["next_cursor"]}).json()
    assert (rest["redriven"], rest["next_cursor"]) == (1, None)
    for job_id in broken:
        town.until_is("COMPLETED", job_id)

    assert town.ask("DELETE", "/v1/dlq").status == 400, "nothing named is not everything"
    dropped = town.ask("DELETE", f"/v1/dlq/{denied[0]}")
    assert dropped.status == 200, dropped
    town.until(lambda: letters(town) == [denied[1]], "the other one alone")
    assert town.ask("DELETE", "/v1/dlq?lane=frail").json()["dropped"] == 1
    town.until(lambda: letters(town) == [], "an empty list")
    for job_id in denied:
        assert town.job(job_id)["status"] == "FAILED"
        assert town.ask("POST", f"/v1/dlq/{job_id}/redrive").status == 409
        assert town.ask("GET", f"/v1/dlq/{job_id}").status == 404


def test_the_command_lists_shows_redrives_and_drops(town: Town, command: Command):
    back = kill(town, "Back. [[sim fault=500 times=1 id=aws-back out=1]]")
    away = kill(town, "Away. [[sim fault=403]]")
    town.until(lambda: letters(town) == [away, back], "both letters")
    table = command("dlq", "list", "--lane", "frail")
    assert back in table and "access_denied" in table
    only = json.loads(command("dlq", "list", "--lane", "frail", "--error", "internal", "--json"))
    assert [letter["id"] for letter in only["letters"]] == [back]
    shown = command("dlq", "show", back)
    assert "call 1" in shown and "FAILED" in shown and "Back." not in shown
    assert "Back." in command("dlq", "show", back, "--body")

    nobody = "0190163d-8694-739b-aea5-966c26f8ad90"
    assert f"{back} redriven" in command("dlq", "redrive", nobody, back, code=NOT_FOUND), "one harms no other"
    town.until_is("COMPLETED", back)
    command("dlq", "show", back, code=NOT_FOUND)
    dropped = json.loads(command("dlq", "drop", "--lane", "frail", "--yes", "--json"))
    assert dropped == {"dropped": 1, "unchanged": 0, "refused": []}
    command("dlq", "redrive", away, code=REFUSED)
    town.until(lambda: letters(town) == [], "an empty list")
