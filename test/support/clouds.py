"""Checks what clouds check, by the libraries of AWS and Google: one question a line, one answer a line."""
import base64
import datetime
import hashlib
import hmac
import json
import sys

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from google.auth import jwt


def signature(asked):
    """Whether a request is signed with these keys, for this service and region, within five minutes of `now`."""
    headers = {name.lower(): value for name, value in asked["headers"]}
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    if scheme != "AWS4-HMAC-SHA256":
        return "MissingAuthenticationTokenException"
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    key, day, region, service, end = parts["Credential"].split("/")
    if key != asked["access_key"]:
        return "UnrecognizedClientException"
    if headers.get("x-amz-security-token") != asked["token"]:
        return "UnrecognizedClientException"
    if [region, service, end] != [asked["region"], asked["service"], "aws4_request"]:
        return "InvalidSignatureException"
    stamp = headers["x-amz-date"]
    at = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    if abs(at.timestamp() - asked["now"] / 1000) > 300 or not stamp.startswith(day):
        return "InvalidSignatureException"
    body = base64.b64decode(asked["body"])
    names = parts["SignedHeaders"].split(";")
    must = ["host", "x-amz-date"] + (["x-amz-security-token"] if asked["token"] else [])
    if any(name not in names for name in must):
        return "InvalidSignatureException"
    request = AWSRequest(asked["method"], asked["url"], data=body)
    for name in names:
        if name != "host":
            request.headers[name] = headers[name]
    request.context["timestamp"] = stamp
    auth = SigV4Auth(Credentials(key, asked["secret"], asked["token"]), service, region)
    if headers.get("x-amz-content-sha256") not in (None, hashlib.sha256(body).hexdigest()):
        return "InvalidSignatureException"
    expected = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    return None if hmac.compare_digest(expected, parts["Signature"]) else "InvalidSignatureException"


def grant(asked):
    """Whether an assertion is one of this service account for these tokens."""
    try:
        claims = jwt.decode(asked["assertion"], certs=asked["public_key"], audience=asked["audience"])
    except ValueError as error:
        return str(error)
    header = jwt.decode_header(asked["assertion"])
    if header["alg"] != "RS256" or header.get("kid") != asked["key_id"]:
        return "invalid header"
    if claims["iss"] != asked["issuer"] or claims["exp"] - claims["iat"] > 3600:
        return "invalid claims"
    if claims["scope"] != "https://www.googleapis.com/auth/cloud-platform":
        return "invalid scope"
    return None


for line in sys.stdin:
    asked = json.loads(line)
    try:
        problem = {"signature": signature, "grant": grant}[asked["about"]](asked)
    except Exception as error:  # whatever is malformed is refused
        problem = f"{type(error).__name__}: {error}"
    print(json.dumps(problem), flush=True)
