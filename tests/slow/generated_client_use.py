"""What somebody writes with the generated client; run by test_generated_client.py with the generator's Python.

    generated_client_use.py FOLDER_OF_THE_CLIENT BASE_URL NAME PASSWORD

Prints what it saw as JSON.
"""
import json
import sys

sys.path.insert(0, sys.argv[1])

import homeport_client as hp  # noqa: E402


def apis(base, **auth):
    client = hp.ApiClient(hp.Configuration(host=base, **auth))
    return hp.AccountsApi(client), hp.DdnsApi(client)


def refused(call, *arguments, **named):
    """Status and code of a refusal, read with the client's own model of an error."""
    try:
        call(*arguments, **named)
    except hp.ApiException as e:
        return [e.status, hp.Error.from_json(e.body).code]
    raise AssertionError(f"{call.__name__} was not refused")


def main(base, name, password):
    seen = {}
    anybody, _ = apis(base)
    made = anybody.user_register(hp.RegisterInput(username=name, email=f"{name}@example.test", password=password)).data
    seen["registered"] = made.user.username
    seen["wrong password"] = refused(anybody.user_login, hp.LoginInput(account=name, password="wrong password"))
    data = anybody.user_login(hp.LoginInput(account=name, password=password)).data
    seen["signed in"], seen["role"] = data.user.id == made.user.id, data.user.role
    seen["refreshed"] = anybody.user_refresh(hp.RefreshInput(refresh_token=made.refresh_token)).data.refresh_token != made.refresh_token
    granted = anybody.user_token(grant_type="password", username=name, password=password)
    seen["granted"] = granted.token_type

    for kind, token in (("sign-in", data.access_token), ("OAuth", granted.access_token)):
        seen["me by " + kind] = apis(base, access_token=token)[0].user_me().data.username
    accounts, ddns = apis(base, access_token=data.access_token)
    domain = ddns.domain_create(hp.DomainCreate(name=f"{name}.test", provider="callback", is_active=False,
                                                credentials={"url": "http://127.0.0.1:9/"})).data
    record = ddns.dns_record_create(domain.id, hp.DnsRecordCreate(name="www", type="A", value="203.0.113.7")).data
    key = accounts.api_key_create(hp.ApiKeyCreate(name="generated", scopes=["ddns:read"])).data

    own, theirs = apis(base, api_key={"apiKey": key.key})
    read = theirs.dns_record_show(record.id).data
    seen["record"] = [read.id == record.id, read.name, read.type, read.value, read.created_at.tzinfo is not None]
    seen["list"] = [r.value for r in theirs.dns_record_list(domain.id).data.items]
    seen["out of scope"] = refused(theirs.dns_record_delete, record.id)
    seen["not there"] = refused(theirs.dns_record_show, "1")
    bearer, _ = apis(base, access_token=key.key)
    seen["key as bearer"] = refused(bearer.user_me)
    seen["no data"] = accounts.api_key_delete(key.id).data
    seen["withdrawn"] = refused(theirs.dns_record_show, record.id)
    print(json.dumps(seen))


main(*sys.argv[2:5])
