"""
What the document allows is accepted, except where a rule holds that no schema can say. No request is about those who send
them, because whoever is disabled or deleted sends all later requests as nobody.
"""
import os

import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.specs.openapi.checks import positive_data_acceptance

RULES = (
    # What exists, and what time it is.
    "the name of a time zone such as Asia/Shanghai is expected",
    "the id of a model in this list is expected",
    "a time in the future is expected",
    # Invitations: who may have rights, and the lines of a list.
    "needs an address, and is for one person",
    "it stands in place of",
    "an e-mail address is expected",
    "at least one address is expected",
    "addresses are expected",
    "that is kept here",
    # Settings of Claude Code, of which the schema is Claude Code's.
    "settings.",
    "the id of a billing group is expected",
    "the id of an active service account is expected",
    "it is expected with the sources oidc and ldap, and only there",
    "one of your billing groups is expected",
    "a billing group is expected that is not below this one",
    "the id of a user or group is expected, 0 for the organisation",
    "nobody and nothing here has this id",
    "more than your present limit of",
    "this is more than a lead of the group may give",
    # Where a channel may be, and which kinds have a secret.
    "an https address is expected",
    "a public address is expected",
    "an address without a user is expected",
    "a secret of at least 16 characters is expected",
    "has no secret beside its address",
    "audit is only for webhooks",
    # Backends, of which the schema is that of the configuration file.
    "this field is not known",
    "an address is expected",
    "or foundry is expected",
    "letters, digits, dot, dash and underscore are expected",
    "secrets.key in the configuration",
    # Networks have more forms than a pattern tells.
    "a network such as 10.0.0.0/8 is expected",
    # Between one field and another.
    "this is only without amount_usd",
    "temporary_usd and temporary_until are expected together",
    "either cursor or page is expected",
    "at most 366 days can be asked for at once",
    "days can be asked for by",
    "two different ones are expected",
    "it is before start_date",
    # Of OpenAI's interfaces: what Claude has no equal for is refused by name, and an item may speak of another.
    '"code":"unsupported_value"',
    "at least one message of the user with some content is expected",
    "no earlier message of the assistant made this tool call",
    "this tool call has its result already",
    "no later message has the result of this tool call",
    "none of the allowed tools is among the tools",
    "there is no tool ",
    "letters, digits, _ and -, at most 128, are expected",
    "a JSON object is expected",
    "it is nested too deep",
    "a PNG, JPEG, GIF or WebP image is expected",
    "a data URL of a PDF, a text or an image is expected",
    "text in UTF-8 as base64 is expected",
    "a name is expected",
    "there is another tool ",
    "a function is expected",
    "a PDF, a text or an image is expected",
    "a file with some text is expected",
    "a data URL with percent escapes is expected",
    "an https address is expected",
    "base64 is expected",
    # Of Anthropic's Admin API.
    "Send one of after_id, before_id and page.",
    "it is before starting_at",
    "can be asked for at once",
    "the next_page of an answer to the same question is expected",
    "ids of groups whose members are kept here are expected",
    '"error_code":"cannot_remove_last_member"',
    '"error_code":"already_member"',
    '"error_code":"invite_already_exists"',
    "This key has ended for good.",
    "This request is decided already.",
    "Only an administrator can change the role of another one.",
    "Only an administrator can remove another one.",
    # After the spellings of one name were made one.
    "an e-mail address is expected",
    "an account name or an e-mail address is expected",
    "a name that cannot be taken for another one is expected",
)

NOBODY = 1
SENDERS = os.environ["SENDERS"].split(",")


@schemathesis.hook
def before_call(ctx, case, kwargs):
    if str((case.path_parameters or {}).get("id")) in SENDERS:
        case.path_parameters["id"] = NOBODY


@schemathesis.check
def valid_data_is_accepted(ctx, response, case):
    try:
        return positive_data_acceptance(ctx, response, case)
    except RejectedPositiveData:
        if not any(rule in response.text for rule in RULES):
            raise
