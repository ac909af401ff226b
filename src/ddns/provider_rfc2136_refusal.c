#include "ddns/provider_rfc2136_refusal.h"

/* What the key is called in a sentence. */
static struct text key_words(const struct dns_job *job, const struct rfc2136_exchange *x)
{
    if (!x->has_key) return TEXT("without a key");
    return arena_print(job->arena, "with the key %.*s", TEXT_ARGS(x->key_name));
}

static enum provider_next end_refused(const struct dns_job *job, const struct rfc2136_exchange *x,
                                      struct dns_verdict *verdict)
{
    struct text key = key_words(job, x);
    const char *what = "updates";
    const char *advice =
        "allow them by update-policy or allow-update in named.conf, or by an acl with action: "
        "update in knot.conf";
    if (job->action == DNS_IMPORT) {
        what = "transfers";
        advice =
            "allow them by allow-transfer in named.conf, or by an acl with action: transfer in "
            "knot.conf";
    } else if (job->action == DNS_CHECK) {
        what = "queries";
        advice =
            "allow them by allow-query in named.conf, and check that this server holds the zone";
    }
    return provider_end(
        verdict, CLASS_FATAL,
        arena_print(job->arena, "the DNS server %.*s refuses %s of zone %.*s %.*s (REFUSED); %s",
                    TEXT_ARGS(x->server), what, TEXT_ARGS(job->zone), TEXT_ARGS(key), advice));
}

enum provider_next rfc2136_end_tsig_error(const struct dns_job *job,
                                          const struct rfc2136_exchange *x, unsigned error,
                                          struct dns_verdict *verdict)
{
    const char *name = dns_tsig_error_name(error);
    const char *advice =
        "it does not accept this key; compare key_name, algorithm and secret with the server's";
    if (error == DNS_TSIG_BADKEY) {
        /* Knot says this too of a key that it knows and that no acl of the zone names. */
        advice =
            "it knows no key of this name and algorithm, or not for this zone; compare key_name "
            "and algorithm with the key block in named.conf or knot.conf, and with the zone's acl";
    } else if (error == DNS_TSIG_BADSIG) {
        advice =
            "its secret for this key is another one; compare secret and algorithm with the key "
            "block in named.conf or knot.conf";
    }
    verdict->answer = name == NULL ? TEXT("NOTAUTH") : arena_print(job->arena, "NOTAUTH %s", name);
    return provider_end(verdict, CLASS_AUTH,
                        arena_print(job->arena,
                                    "the DNS server %.*s refused the key %.*s (%.*s): %s",
                                    TEXT_ARGS(x->server), TEXT_ARGS(x->key_name),
                                    TEXT_ARGS(verdict->answer), advice));
}

static const struct rcode_row {
    uint8_t rcode;
    enum call_class class;
    const char *advice;
} rcodes[] = {
    {DNS_RCODE_FORMERR, CLASS_FATAL,
     "it could not read the request; check that it takes RFC 2136 updates and TSIG"},
    {DNS_RCODE_SERVFAIL, CLASS_RETRY,
     "it failed inside; its log says why: the zone may not be loaded, or its file or journal not "
     "writable"},
    {DNS_RCODE_NXDOMAIN, CLASS_RETRY,
     "it has no such name any more; check the zone's name if this goes on"},
    {DNS_RCODE_NOTIMP, CLASS_FATAL,
     "it does not do this; name the zone's primary server, with updates enabled"},
    {DNS_RCODE_YXDOMAIN, CLASS_RETRY, "another change came in between; it will be tried again"},
    {DNS_RCODE_YXRRSET, CLASS_RETRY, "another change came in between; it will be tried again"},
    {DNS_RCODE_NXRRSET, CLASS_RETRY, "another change came in between; it will be tried again"},
    {DNS_RCODE_NOTAUTH, CLASS_FATAL,
     "it does not hold this zone; check the zone's name, and that server names its primary"},
    {DNS_RCODE_NOTZONE, CLASS_FATAL,
     "the name is not within its zone; check the zone's name, and whether a part of it is a zone "
     "of its own"},
};

enum provider_next rfc2136_end_rcode(const struct dns_job *job, const struct rfc2136_exchange *x,
                                     unsigned rcode, struct dns_verdict *verdict)
{
    const char *name = dns_rcode_name(rcode);
    struct text shown = name != NULL ? text_of(name) : arena_print(job->arena, "RCODE %u", rcode);
    verdict->answer = shown;
    if (rcode == DNS_RCODE_REFUSED) return end_refused(job, x, verdict);
    enum call_class class = CLASS_FATAL;
    const char *advice = "an answer that homeport does not know";
    for (unsigned i = 0; i < sizeof(rcodes) / sizeof(rcodes[0]); i++) {
        if (rcodes[i].rcode != rcode) continue;
        class = rcodes[i].class;
        advice = rcodes[i].advice;
    }
    return provider_end(
        verdict, class,
        arena_print(job->arena, "the DNS server %.*s answered %.*s for %.*s in zone %.*s %.*s: %s",
                    TEXT_ARGS(x->server), TEXT_ARGS(shown), TEXT_ARGS(x->name),
                    TEXT_ARGS(job->zone), TEXT_ARGS(key_words(job, x)), advice));
}

enum provider_next rfc2136_end_untrusted(const struct dns_job *job,
                                         const struct rfc2136_exchange *x, enum dns_trust trust,
                                         unsigned rcode, unsigned tsig_error,
                                         struct dns_verdict *verdict)
{
    bool is_key_hint =
        trust == DNS_TRUST_HINT && tsig_error != DNS_TSIG_OK && tsig_error != DNS_TSIG_BADTIME;
    if (is_key_hint) return rfc2136_end_tsig_error(job, x, tsig_error, verdict);
    /* A server that does not serve the zone says so without looking at the key, and so does one that is in trouble. */
    bool is_plain_no =
        trust == DNS_TRUST_UNSIGNED &&
        (rcode == DNS_RCODE_SERVFAIL || rcode == DNS_RCODE_NOTAUTH || rcode == DNS_RCODE_REFUSED ||
         rcode == DNS_RCODE_NOTZONE || rcode == DNS_RCODE_NOTIMP || rcode == DNS_RCODE_FORMERR);
    if (is_plain_no) return rfc2136_end_rcode(job, x, rcode, verdict);
    const char *why = "is not signed";
    if (trust == DNS_TRUST_WRONG_KEY) why = "is signed with another key";
    if (trust == DNS_TRUST_WRONG_MAC) why = "has a wrong signature";
    if (trust == DNS_TRUST_WRONG_TIME) why = "was signed too long ago or by a wrong clock";
    const char *name = dns_rcode_name(rcode);
    verdict->answer = arena_print(job->arena, "unproven %s", name == NULL ? "answer" : name);
    return provider_end(
        verdict, CLASS_RETRY,
        arena_print(job->arena,
                    "the answer of the DNS server %.*s (%s) %s, so it was not believed; check "
                    "that the server knows the key %.*s and that nothing in between changes DNS",
                    TEXT_ARGS(x->server), name == NULL ? "unknown" : name, why,
                    TEXT_ARGS(x->key_name)));
}

enum provider_next rfc2136_end_malformed(const struct dns_job *job,
                                         const struct rfc2136_exchange *x,
                                         struct dns_verdict *verdict)
{
    verdict->answer = TEXT("malformed");
    return provider_end(
        verdict, CLASS_RETRY,
        arena_print(job->arena,
                    "the answer of %.*s is not a DNS answer to what was asked; check server "
                    "and port",
                    TEXT_ARGS(x->server)));
}
