/* GET /nic/update: homeport as a dyndns2 server, for routers, inadyn and ddclient.
 *
 * One line is answered for each host name, in their order: "good ADDRESS" when something changed, "nochg
 * ADDRESS" when not, else "nohost", "notfqdn" or "abuse". A name stands for the caller's dynamic records of
 * that name: A for an IPv4 address, AAAA for an IPv6 one. Bound to a pushed source, the name pushes the
 * source, and everything that follows it; without a source it is the record's own. Static records, and those
 * that follow some other kind of source, are not the router's to change: "nohost". The answer names the
 * addresses that were taken: a pair for a name that has only an A record is "good" with the IPv4 address. */
#include "ddns/ddns.h"
#include "ddns/dns_name.h"

enum { NAMES_MAX = 20 };

struct update {
    struct ip_address addresses[2]; /* one of each family at most */
    unsigned count;
    bool is_taken[2]; /* some record has, or follows, this address */
    bool is_changed;
};

/* Comma-separated addresses, at most one of each family. */
static bool take_addresses(struct text list, struct update *update)
{
    while (list.data != NULL && list.bytes > 0) {
        struct ip_address ip;
        struct text one = text_trim(text_cut(&list, ','));
        if (!ip_parse(one, &ip) || update->count == 2) return false;
        if (update->count == 1 && update->addresses[0].family == ip.family) return false;
        if (!source_may_have(&ip)) return false;
        update->addresses[update->count++] = ip;
    }
    return true;
}

/* The caller's domain that the name is in: the longest that fits. */
static bool find_domain(struct step *step, struct text host, struct domain *domain)
{
    struct text rest = host;
    while (rest.data != NULL && rest.bytes > 0) {
        struct domain like = {.user_id = step->caller.user_id, .name = rest};
        if (record_find(&step->read, &domain_by_name, &like, domain) == OK) return true;
        text_cut(&rest, '.');
    }
    return false;
}

static void push_to(struct step *step, struct dns_record *record, unsigned which,
                    struct update *update)
{
    const struct ip_address *ip = &update->addresses[which];
    char out[IP_TEXT_SIZE];
    struct source source;
    struct text address = arena_text(step->arena, ip_format(ip, out));
    if (record->source_id == 0) {
        uint64_t generation = record->generation;
        update->is_taken[which] = true;
        record_follow(step, record, address);
        update->is_changed |= record->generation != generation;
        return;
    }
    if (source_get(&step->read, record->source_id, &source) != OK ||
        source.kind != source_kind_pushed)
        return;
    update->is_taken[which] = true;
    if (text_equal(source.address, address)) return;
    update->is_changed = true;
    source.value = address;
    source_saw(step, &source, address, TEXT_NONE);
}

static void update_name(struct step *step, const struct domain *domain, struct text owner,
                        struct update *update)
{
    struct walk walk;
    struct dns_record record, like = {.domain_id = domain->id, .name = owner};
    uint64_t id;
    walk_begin(&walk, &step->read, &dns_record_by_name, &like, 0, false);
    while (walk_next(&walk, &id)) {
        if (dns_record_get(&step->read, id, &record) != OK || !record.dynamic) continue;
        for (unsigned i = 0; i < update->count; i++) {
            uint32_t type = update->addresses[i].family == 4 ? (uint32_t)dns_record_type_A
                                                             : (uint32_t)dns_record_type_AAAA;
            if (record.type == type) push_to(step, &record, i, update);
        }
    }
    walk_end(&walk);
}

/* Whether the caller's key may speak for the name, which has no dot at its end. */
static bool is_allowed(struct step *step, struct text host)
{
    struct api_key key;
    if (!step->caller.is_host_bound) return true;
    if (api_key_get(&step->read, step->caller.key_id, &key) != OK) return false;
    while (key.hosts.data != NULL) {
        if (text_equal_fold(text_cut(&key.hosts, '\n'), host)) return true;
    }
    return false;
}

/* A full name, or * and a full name: what can be a record's. */
static bool is_full_name(struct text host)
{
    struct text reason;
    if (text_starts(host, TEXT("*."))) {
        host.data += 2;
        host.bytes -= 2;
    }
    return dns_name_check(host, &reason) && memchr(host.data, '.', host.bytes) != NULL;
}

/* "good" or "nochg" and the addresses that a record has taken; those that none is there for are left out. */
static struct text words_of(struct step *step, const struct update *update)
{
    struct text words = update->is_changed ? TEXT("good") : TEXT("nochg");
    char out[IP_TEXT_SIZE];
    char separator = ' ';
    for (unsigned i = 0; i < update->count; i++) {
        if (!update->is_taken[i]) continue;
        words = arena_print(step->arena, "%.*s%c%.*s", TEXT_ARGS(words), separator,
                            TEXT_ARGS(ip_format(&update->addresses[i], out)));
        separator = ',';
    }
    return words;
}

static struct text answer_for(struct step *step, struct text host, const struct update *wanted)
{
    struct domain domain;
    struct text owner;
    struct update update = *wanted;
    if (!is_full_name(host)) return TEXT("notfqdn");
    if (host.data[host.bytes - 1] == '.') host.bytes--;
    if (!is_allowed(step, host)) return TEXT("nohost");
    if (!find_domain(step, host, &domain) || !dns_name_split(host, domain.name, &owner))
        return TEXT("nohost");
    update_name(step, &domain, owner, &update);
    if (!update.is_taken[0] && !update.is_taken[1]) return TEXT("nohost");
    return words_of(step, &update);
}

enum err nic_update(struct step *step, const struct call *call, struct reply *reply)
{
    struct update wanted = {0};
    struct text names = call_query(call, TEXT("hostname"), step->arena);
    struct text address = call_query(call, TEXT("myip"), step->arena);
    bool is_good = take_addresses(address, &wanted) &&
                   take_addresses(call_query(call, TEXT("myipv6"), step->arena), &wanted);
    if (is_good && wanted.count == 0) is_good = take_addresses(call->ip, &wanted);
    struct text lines = TEXT_NONE;
    if (names.bytes == 0) lines = TEXT("notfqdn\n");
    if (names.bytes > 0 && (!is_good || wanted.count == 0)) {
        /* dyndns2 has no word for a bad address; ours must not be taken for success. */
        lines = TEXT("dnserr\n");
        names.bytes = 0;
    }
    for (unsigned i = 0; names.bytes > 0 && names.data != NULL; i++) {
        struct text host = text_trim(text_cut(&names, ','));
        struct text answer = i < NAMES_MAX ? answer_for(step, host, &wanted) : TEXT("numhost");
        lines = arena_print(step->arena, "%.*s%.*s\n", TEXT_ARGS(lines), TEXT_ARGS(answer));
        if (i >= NAMES_MAX) break;
    }
    json_raw(&reply->body, lines);
    return OK;
}
