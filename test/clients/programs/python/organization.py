"""What a program does with the organisation resources of Anthropic's SDK for Python, pointed at the gateway."""

import json
import os

import anthropic

NAMES = ("BASE_URL", "API_KEY", "VERSION", "USER", "ADMIN", "KEY", "ASKED", "REFUSED")
BASE_URL, API_KEY, VERSION, USER, ADMIN, KEY, ASKED, REFUSED = (os.environ[name] for name in NAMES)
headers = {"anthropic-version": VERSION} if VERSION else {}
client = anthropic.Anthropic(base_url=BASE_URL, api_key=API_KEY, max_retries=0, default_headers=headers)
organization = client.organization
spend_limits = client.beta.organization.spend_limits


def failure(call):
    try:
        call()
        return None
    except anthropic.APIStatusError as thrown:
        code = thrown.body["error"]["details"]["error_code"]
        return {"kind": type(thrown).__name__, "status": thrown.status_code, "code": code}


def plain(value):
    return None if value is None else value.to_dict()


me = organization.retrieve()
groups = [organization.rbac_groups.create(name=name) for name in ("A", "B", "C")]
group = groups[0].id
renamed = organization.rbac_groups.update(group, name="Web")
organization.rbac_groups.members.add(group, user_id=USER)
members = list(organization.rbac_groups.members.list(group, limit=1))
invited = {"email": "new@corp.example", "role": "developer", "rbac_group_ids": [group]}
invite = organization.invites.create(**invited)
twice = failure(lambda: organization.invites.create(**invited))
member = failure(lambda: organization.invites.create(**{**invited, "email": "ann@corp.example"}))
invites = list(organization.invites.list(statuses=["pending", "accepted"]))
no_invite = organization.invites.delete(invite.id)
workspaces = list(organization.workspaces.list(limit=2))
key = organization.api_keys.retrieve(KEY)
off = organization.api_keys.update(KEY, status="inactive")
keys = list(organization.api_keys.list(status="inactive", limit=1))
rates = list(organization.rate_limits.list())
limit = spend_limits.set(scope={"type": "user", "user_id": USER}, amount="50000")
limits = list(spend_limits.list(scope_type=["user", "organization"]))
effective = list(organization.spend_limits.effective.list(user_ids=[USER], period=["monthly"]))
approved = organization.spend_limits.increase_requests.approve(ASKED, amount="70000")
denied = organization.spend_limits.increase_requests.deny(REFUSED)
requests = list(organization.spend_limits.increase_requests.list(status=["denied"], limit=1))
no_limit = spend_limits.delete(limit.id)
users = list(organization.users.list(limit=1))
admins = list(organization.users.list(roles=["admin"]))
billing = organization.users.update(USER, role="billing")
last_admin = failure(lambda: organization.users.remove(ADMIN))
removed = organization.users.remove(USER)
no_user = failure(lambda: organization.users.retrieve(USER))
no_member = failure(lambda: organization.rbac_groups.members.remove(USER, rbac_group_id=group))
unserved = failure(lambda: organization.service_accounts.list())
deleted = organization.rbac_groups.delete(group)
rest = list(organization.rbac_groups.list(limit=1))

print(
    json.dumps(
        {
            "me": me.type,
            "renamed": renamed.name,
            "groups": [each.name for each in rest],
            "members": [[each.user_id, each.email] for each in members],
            "invite": [invite.status, invite.role, len(invite.rbac_group_ids)],
            "invites": len(invites),
            "workspaces": [each.name for each in workspaces],
            "key": {
                "principal": plain(key.principal),
                "scope": plain(getattr(key, "scope", None)),
                "workspace_id": getattr(key, "workspace_id", None),
            },
            "off": off.status,
            "keys": len(keys),
            "rates": [each.group.type if getattr(each, "group", None) else each.group_type for each in rates],
            "limit": [limit.amount, limit.period],
            "limits": [each.scope.type for each in limits],
            "effective": [[each.amount, each.source.type, each.period_to_date_spend] for each in effective],
            "approved": [approved.status, approved.spend_limit.amount, approved.resolved_by.type],
            "denied": denied.status,
            "requests": len(requests),
            "users": [each.email for each in users],
            "admins": [each.email for each in admins],
            "billing": billing.role,
            "types": [no_invite.type, no_limit.type, removed.type, deleted.type],
            "failures": {
                "twice": twice,
                "member": member,
                "lastAdmin": last_admin,
                "noUser": no_user,
                "noMember": no_member,
                "unserved": unserved,
            },
        }
    )
)
