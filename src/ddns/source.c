/* Sources: what address this house has, by whatever way it was found. */
#include "ddns/ddns.h"

#include <assert.h>

#include "core/turn.h"

static struct text family_reason(const struct source *source)
{
    return source->family == family_ipv4 ? TEXT("must be an IPv4 address such as 203.0.113.7")
                                         : TEXT("must be an IPv6 address such as 2001:db8::1");
}

bool source_may_have(const struct ip_address *address)
{
    enum ip_class class_of_address = ip_class(address);
    return ip_is_global(address) || class_of_address == IP_PRIVATE;
}

bool source_takes(const struct source *source, struct text address, struct text *normal,
                  struct text *reason, struct arena *arena)
{
    struct ip_address ip;
    char out[IP_TEXT_SIZE];
    if (!ip_parse(address, &ip) || ip.family != source->family) {
        *reason = family_reason(source);
        return false;
    }
    if (!source_may_have(&ip)) {
        *reason = TEXT(
            "must be an address that others can reach, not a loopback, link-local or reserved one");
        return false;
    }
    *normal = arena_text(arena, ip_format(&ip, out));
    return true;
}

static void fan_out(struct step *step, const struct source *source)
{
    struct task task = {.kind = task_kind_source_fan,
                        .user_id = source->user_id,
                        .target_id = source->id,
                        .lane_id = source->id};
    task_new(step, &task, step->now_ms);
}

void source_saw(struct step *step, struct source *source, struct text address, struct text error)
{
    bool is_new = address.bytes > 0 && !text_equal(address, source->address);
    source->last_error = error;
    if (address.bytes > 0) source->checked_at = step->now_ms;
    if (is_new) {
        source->address = address;
        source->address_since = step->now_ms;
    }
    source_put(step, source);
    if (is_new) fan_out(step, source); /* runs at the end of this same turn */
}

/* ---- interfaces ----------------------------------------------------------------------------------- */

/* Better ones first; 0: not to be used at all. */
static unsigned rank(const struct source *source, const struct interface_address *address)
{
    bool is_usable =
        address->address.family == source->family &&
        text_equal(text_of(address->interface), source->interface) &&
        (address->flags & (ADDRESS_TEMPORARY | ADDRESS_DEPRECATED | ADDRESS_TENTATIVE)) == 0;
    if (!is_usable || !source_may_have(&address->address)) return 0;
    return ip_is_global(&address->address) ? 2 : 1;
}

/* The first of its interface's addresses that the source could use, were it bound to that interface. */
static bool is_first_usable(const struct source *source, const struct interface_address *list,
                            unsigned index)
{
    struct source other = *source;
    other.interface = text_of(list[index].interface);
    for (unsigned i = 0; i < index; i++) {
        if (rank(&other, &list[i]) > 0) return false;
    }
    return rank(&other, &list[index]) > 0;
}

/* Why there is none, and where there would be one: most often the interface's name is another. */
static struct text no_address(struct step *step, const struct source *source)
{
    unsigned count;
    const struct interface_address *list = ddns_interfaces(core_ddns(step->core), &count);
    struct text words = arena_print(
        step->arena,
        "Interface %.*s has no usable %s address (temporary, deprecated, link-local and loopback "
        "ones do not count)",
        TEXT_ARGS(source->interface), source->family == family_ipv4 ? "IPv4" : "IPv6");
    const char *separator = "; usable ones are on";
    for (unsigned i = 0; i < count && words.bytes < 512; i++) {
        if (!is_first_usable(source, list, i)) continue;
        words =
            arena_print(step->arena, "%.*s%s %s", TEXT_ARGS(words), separator, list[i].interface);
        separator = ",";
    }
    return words;
}

void source_read_interface(struct step *step, struct source *source)
{
    unsigned count, best = 0;
    char out[IP_TEXT_SIZE];
    struct text address = TEXT_NONE;
    const struct interface_address *list = ddns_interfaces(core_ddns(step->core), &count);
    for (unsigned i = 0; i < count; i++) {
        unsigned here = rank(source, &list[i]);
        if (here <= best) continue;
        best = here;
        address = arena_text(step->arena, ip_format(&list[i].address, out));
    }
    struct text error = address.bytes > 0 ? TEXT_NONE : no_address(step, source);
    if (text_equal(address, source->address) && text_equal(error, source->last_error) &&
        source->checked_at != 0)
        return;
    source_saw(step, source, address, error);
}

/* ---- checks --------------------------------------------------------------------------------------- */

static void check_task_due(struct step *step, struct source *source)
{
    struct task task;
    bool is_open = source->task_id != 0 && task_get(&step->read, source->task_id, &task) == OK &&
                   task_is_open(&task);
    if (is_open) {
        task_due(step, &task, step->now_ms);
        return;
    }
    task = (struct task){.kind = task_kind_source_check,
                         .user_id = source->user_id,
                         .target_id = source->id,
                         .lane_id = source->id};
    task_new(step, &task, step->now_ms);
    source->task_id = task.id;
    source_put(step, source);
}

void source_check_now(struct step *step, struct source *source)
{
    switch ((enum source_kind)source->kind) {
    case source_kind_http: check_task_due(step, source); break;
    case source_kind_interface: source_read_interface(step, source); break;
    case source_kind_fixed:
    case source_kind_pushed:
        if (source->value.bytes > 0) source_saw(step, source, source->value, TEXT_NONE);
        break;
    }
}
