"""What the document allows is accepted, except where a rule holds that no schema can say."""
import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.specs.openapi.checks import positive_data_acceptance

RULES = (
    # What exists, and what time it is.
    "the name of a time zone such as Asia/Shanghai is expected",
    "the id of a model in this list is expected",
    "a time in the future is expected",
    # Between one field and another.
    "either cursor or page is expected",
    "at most 366 days can be asked for at once",
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
    # After the spellings of one name were made one.
    "an account name or an e-mail address is expected",
    "a name that cannot be taken for another one is expected",
)


@schemathesis.check
def valid_data_is_accepted(ctx, response, case):
    try:
        return positive_data_acceptance(ctx, response, case)
    except RejectedPositiveData:
        if not any(rule in response.text for rule in RULES):
            raise
