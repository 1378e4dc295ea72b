"""What a program does with batches, files and skills of Anthropic's SDK for Python, pointed at the gateway."""

import json
import os
import time

import anthropic

BASE_URL, API_KEY, MODEL = (os.environ[name] for name in ("BASE_URL", "API_KEY", "MODEL"))
client = anthropic.Anthropic(base_url=BASE_URL, api_key=API_KEY, max_retries=0)
batches = client.messages.batches


def failure(call):
    try:
        call()
        return None
    except anthropic.APIStatusError as thrown:
        return {"kind": type(thrown).__name__, "status": thrown.status_code}


def ask(content):
    return {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": content}]}


def request(custom_id, content):
    return {"custom_id": custom_id, "params": ask(content)}


def ended(batch_id):
    while True:
        found = batches.retrieve(batch_id)
        if found.processing_status == "ended":
            return found
        time.sleep(0.1)


requests = [request("one", "Hello"), request("two", "[errored]"), request("three", "Bye")]
batch = batches.create(requests=requests)
early = failure(lambda: batches.delete(batch.id))
others = [batches.create(requests=[request(name, name)]) for name in ("a", "b")]
cancelling = batches.cancel(others[1].id)
counts = ended(batch.id).request_counts.to_dict()
results = list(batches.results(batch.id))
cancelled = list(batches.results(ended(others[1].id).id))
listed = list(batches.list(limit=2))
of_beta = list(client.beta.messages.batches.list(limit=2))
no_batch = batches.delete(batch.id)
gone_batch = failure(lambda: batches.retrieve(batch.id))

files = [
    client.files.upload(file=(name, f"in {name}".encode(), "text/plain")) for name in ("a.txt", "ü b.txt", "c.txt")
]
file = files[1].id
metadata = client.files.retrieve_metadata(file)
content = client.files.download(file).read().decode()
document = {"type": "document", "source": {"type": "file", "file_id": file}}
named = client.messages.create(**ask([document, {"type": "text", "text": "Read it"}]))
no_file = client.files.delete(file)
gone_file = failure(lambda: client.files.retrieve_metadata(file))
left = list(client.files.list(limit=1))
left_of_beta = list(client.beta.files.list(limit=1))


def skill_file(text):
    return ("greet/SKILL.md", text, "text/markdown")


skill = client.skills.create(display_name="Greet", files=[skill_file(b"Say hello.")])
version = client.skills.versions.create(skill.id, files=[skill_file(b"Say hi.")])
kept = client.skills.retrieve(skill.id)
one = client.skills.versions.retrieve(version.version, skill_id=skill.id)
archive = client.beta.skills.versions.download(version.version, skill_id=skill.id).read().decode("latin-1")
versions = list(client.skills.versions.list(skill.id, limit=1))
custom = list(client.skills.list(source="custom", limit=1))
everyone = list(client.beta.skills.list(limit=1))
too_early = failure(lambda: client.skills.delete(skill.id))
for each in versions:
    client.skills.versions.delete(each.version, skill_id=skill.id)
no_skill = client.skills.delete(skill.id)
gone_skill = failure(lambda: client.skills.retrieve(skill.id))


def text_of(result):
    return result.message.content[0].text if result.type == "succeeded" else ""


print(
    json.dumps(
        {
            "made": batch.processing_status,
            "cancelling": cancelling.processing_status,
            "counts": counts,
            "results": [[each.custom_id, each.result.type, text_of(each.result)] for each in results],
            "cancelled": [each.result.type for each in cancelled],
            "listed": [[batch.id, *(other.id for other in others)].index(each.id) for each in listed],
            "ofBeta": len(of_beta),
            "files": [metadata.filename, metadata.size_bytes, content, named.stop_reason],
            "left": [each.filename for each in left],
            "leftOfBeta": len(left_of_beta),
            "skill": [kept.display_name, one.skill_id == skill.id, archive[:2]],
            "versions": len(versions),
            "skills": [len(custom), [each.source for each in everyone]],
            "types": [no_batch.type, no_file.type, no_skill.type],
            "failures": {
                "early": early,
                "tooEarly": too_early,
                "goneBatch": gone_batch,
                "goneFile": gone_file,
                "goneSkill": gone_skill,
            },
        }
    )
)
