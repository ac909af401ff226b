/* What a DNS provider is to homeport: one pure function.
 *
 * provider_step() is asked "what now?" again and again: it looks at the job, at what it noted in earlier
 * rounds and at the last answer, and either prepares the next call or gives the verdict. It reads no clock,
 * rolls no dice and touches no socket: time, nonce and ids stand in the job. So the same job and the same
 * answers give the same bytes, and the wire tests hold them against the vendors' own vectors.
 *
 *      round 0             round 1              round 2
 *   step(last=NULL) ─SEND─► call ─► step(last) ─SEND─► call ─► step(last) ─► FINISHED + verdict
 *
 * Rounds are bounded by PROVIDER_ROUNDS_MAX; the scheduler ends a job that wants more.
 *
 * What homeport may touch. PUSH makes name+type carry job->value. For A, AAAA and CNAME that means: the set
 * at the provider becomes value plus the siblings (other records of this name and type that homeport keeps).
 * For MX, TXT, NS, SRV and CAA only our own value is exchanged (previous_value out, value in); what others
 * put there stays. REMOVE takes away exactly what homeport wrote. CHECK and IMPORT change nothing. */
#ifndef HOMEPORT_DDNS_PROVIDER_H
#define HOMEPORT_DDNS_PROVIDER_H

#include "cloud/call_class.h"
#include "core/arena.h"
#include "core/http_call.h"
#include "core/text.h"
#include "ddns/rdata.h"

enum { PROVIDER_ROUNDS_MAX = 24, PROVIDER_ID_SIZE = 80 };

enum dns_action {
    DNS_PUSH = 1, /* make the provider's record what the job says */
    DNS_REMOVE,   /* take our record away */
    DNS_CHECK,    /* read what the provider has for name and type */
    DNS_IMPORT    /* read all records of the zone, of the types we know */
};

/* One record as the provider has it. */
struct dns_found {
    struct text provider_id; /* empty where the provider has no ids (rfc2136) */
    struct text owner;       /* relative to the zone: "@", "www", "*.a" */
    enum dns_type type;
    struct text value; /* presentation form, priority apart */
    uint16_t priority;
    uint32_t ttl;
    bool proxied;
};

struct dns_job {
    enum dns_action action;
    struct arena *arena; /* for everything a step builds */
    uint64_t now_ms;
    uint8_t nonce[16];  /* fresh random bytes for every call of step */
    struct text zone;   /* "example.test", lower case, no dot at the end */
    struct text owner;  /* IMPORT: empty */
    enum dns_type type; /* IMPORT: 0 */
    struct text value;  /* what shall be there; REMOVE: what we believe is there */
    uint16_t priority;
    uint32_t ttl;
    bool proxied; /* Cloudflare */
    struct text
        previous_value; /* what we pushed last, empty when never; priority unchanged or below */
    uint16_t previous_priority;
    struct text tried_value; /* written by an earlier call of which nobody knows what it did; else empty */
    uint16_t tried_priority;
    struct text provider_id; /* the record's id at the provider as last seen; empty when unknown */
    bool is_ours;            /* homeport wrote what has that id */
    const struct text *sibling_values; /* of other homeport records with this name and type */
    const struct text *sibling_ids;    /* their provider ids, may be empty texts */
    unsigned sibling_count;
    struct text credentials; /* JSON object as the user gave it, opened */
    struct text
        endpoint; /* base URL from the settings (ddns.<provider>.endpoint), no slash at the end */
    struct text mark; /* ownership remark for records we create; empty: none */
    struct text user_agent;
    uint64_t timeout_ms; /* for one call */
    bool allow_private;  /* the domain's owner may name private addresses (callback) */
};

/* What a provider notes from round to round. Plain data: it travels in messages, all zero at the start. */
struct dns_memo {
    uint8_t round; /* counted by the caller: number of answers so far */
    uint8_t state; /* the provider's own */
    uint8_t flags; /* the provider's own: what it must do only once */
    uint8_t clock_repeats;
    bool is_writing; /* the caller's: the call under way is a write */
    bool was_tried;  /* the caller's: the same value had been tried before this push */
    uint16_t page;
    uint16_t message_id;
    int64_t clock_offset_ms; /* other side's time minus ours, once learnt */
    char zone_id[PROVIDER_ID_SIZE];
    char provider_id[PROVIDER_ID_SIZE];
    uint8_t mac_bytes; /* TSIG MAC of the request under way */
    uint8_t mac[64];
};

/* Exactly one of the two is not NULL after the first round. */
struct provider_answer {
    const struct http_result *http;
    const struct dns_result *dns;
};

struct provider_call {
    bool is_dns;
    bool is_write; /* PUSH: may put job->value at the provider, or marks what the call before it has put there */
    bool is_whole_set; /* a write that puts the values of the siblings there too */
    struct http_call http;
    struct dns_call dns;
};

struct dns_verdict {
    enum call_class class;
    struct text detail; /* for the user: what the provider said and what to do about it; no secrets.
                                  Empty for CLASS_OK and CLASS_UNCHANGED */
    struct text answer; /* short trace of the provider's answer for the history: "NOERROR",
                                  "200 RecordId 9999985" */
    int64_t retry_after_ms;  /* -1: no wish */
    struct text provider_id; /* PUSH: the record's id now; REMOVE: empty */
    bool has_written;        /* PUSH: the value was written, so what is there is ours */
    bool is_ours; /* PUSH: it was there, and it is known as ours: by our mark, or as the value tried */
    /* CHECK: the values of name and type. IMPORT: records of this page. Also set together with SEND. */
    const struct dns_found *found;
    unsigned found_count;
};

enum provider_next { PROVIDER_SEND, PROVIDER_FINISHED };

struct provider_field {
    struct text name;
    struct text title; /* for forms */
    struct text
        format; /* "text", "url", "host_port", "base64", "choice:hmac-sha256,hmac-sha512", "map" */
    bool is_required, is_secret;
};

struct provider {
    struct text name;  /* "rfc2136" */
    struct text title; /* "RFC 2136 DNS server (BIND, Knot, PowerDNS)" */
    const struct provider_field *fields;
    unsigned field_count;
    unsigned calls_per_second; /* in the long run, for one domain's account; 0: no limit */
    unsigned calls_burst;      /* how many may follow each other at once */
    bool can_list;             /* CHECK and IMPORT work */
    uint32_t ttl_min;          /* 0: any */
    /* Checks credentials beyond presence and length (URL form, Base64...). NULL reason when fine. The
     * caller has already refused unknown and missing fields. *field names the field at fault. */
    bool (*check)(struct text credentials, struct text *field, struct text *reason);
    enum provider_next (*step)(const struct dns_job *job, struct dns_memo *memo,
                               const struct provider_answer *last, struct provider_call *next,
                               struct dns_verdict *verdict);
};

/* Rows of schema/providers.def. */
#define PROVIDER(name) extern const struct provider provider_##name;
#include "providers.def"
#undef PROVIDER

const struct provider *provider_find(struct text name); /* NULL when unknown */
const struct provider *provider_at(unsigned index);     /* NULL past the end */

/* Shared by providers. */
/* A verdict for a call that got no answer or a bare status: class, detail and retry_after filled. */
struct dns_verdict provider_verdict_of(const struct dns_job *job, const struct http_result *result);
/* Ends a job whose answer is not in the provider's own words, as a portal's page: the verdict of the bare
 * status when that gives this class, otherwise one that says what may have come in between. */
enum provider_next provider_end_strange(const struct dns_job *job, const struct http_result *result,
                                        enum call_class class, struct dns_verdict *verdict);
/* The text member `name` of the credentials object, copied into the arena; empty when absent. */
struct text provider_credential(const struct dns_job *job, struct text name);
/* What the other side said, fit for a detail: one line, clean UTF-8, at most 200 bytes, and nothing at all
 * when it repeats any of the credentials. */
struct text provider_said(const struct dns_job *job, struct text message);
/* Host and port of the endpoint, for sentences; "the provider" without one. */
struct text provider_host(const struct dns_job *job);
/* Full name of the job's owner in its zone; the zone alone for IMPORT. */
struct text provider_full_name(const struct dns_job *job);
/* "off by 12 s" put into words: "N s ahead of" or "N s behind"; offset as in dns_memo. */
struct text provider_clock_words(struct arena *arena, int64_t offset_ms);
/* A check for credentials that are keys and tokens: printable ASCII without blanks, since they go into
 * header fields. For the fields of format "text" in the table. */
bool provider_check_printable(const struct provider_field *fields, unsigned field_count,
                              struct text credentials, struct text *field, struct text *reason);
/* Ends a job: fills class and detail, and says so. retry_after is -1. */
enum provider_next provider_end(struct dns_verdict *verdict, enum call_class class,
                                struct text detail);
/* The last word of every step: a verdict of "out of memory" when the arena overflowed, which keeps half
 * built calls from being sent; otherwise what was given. */
enum provider_next provider_checked(const struct dns_job *job, enum provider_next next,
                                    struct dns_verdict *verdict);

#endif
