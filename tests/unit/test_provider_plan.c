/* ddns/provider_plan.c: whose a record is that was found, and what may be done to it. */
#include "unit.h"

#include "ddns/provider_plan.h"

enum { RECORDS_MAX = 4 };

/* A job and what the provider lists; the defaults: home.example.com A 192.0.2.2, TTL 600, nothing known. */
struct plan_case {
    struct dns_job job;
    struct provider_record records[RECORDS_MAX];
    unsigned count;
    struct text sibling_values[1], sibling_ids[1];
};

static void begin(struct plan_case *c)
{
    *c = (struct plan_case){.job = {.action = DNS_PUSH,
                                    .zone = TEXT("example.com"),
                                    .owner = TEXT("home"),
                                    .type = DNS_A,
                                    .value = TEXT("192.0.2.2"),
                                    .ttl = 600,
                                    .mark = TEXT("ours")}};
}

static struct provider_record *add(struct plan_case *c, const char *id, const char *value)
{
    struct provider_record *record = &c->records[c->count++];
    record->found = (struct dns_found){.provider_id = text_of(id),
                                       .owner = c->job.owner,
                                       .type = c->job.type,
                                       .value = text_of(value),
                                       .ttl = c->job.ttl};
    return record;
}

static void add_sibling(struct plan_case *c, const char *id, const char *value)
{
    c->sibling_values[0] = text_of(value);
    c->sibling_ids[0] = text_of(id);
    c->job.sibling_values = c->sibling_values;
    c->job.sibling_ids = c->sibling_ids;
    c->job.sibling_count = 1;
}

static struct provider_plan plan(const struct plan_case *c)
{
    return provider_plan_push(&c->job, c->job.provider_id, c->records, c->count);
}

/* Our value that was there before is kept and is not ours; with our mark, or tried by us, it is. */
static void test_found(void)
{
    struct plan_case c;
    begin(&c);
    struct provider_record *r = add(&c, "r1", "192.0.2.2");
    CHECK(plan(&c).act == PLAN_KEEP && !plan(&c).is_ours);
    CHECK_TEXT(plan(&c).id_after, "r1");
    r->remark = TEXT("ours");
    CHECK(plan(&c).act == PLAN_KEEP && plan(&c).is_ours);
    r->remark = TEXT("somebody's");
    CHECK(!plan(&c).is_ours);
    c.job.tried_value = TEXT("192.0.2.2");
    CHECK(plan(&c).act == PLAN_KEEP && plan(&c).is_ours);
    c.job.tried_value = TEXT("192.0.2.3");
    CHECK(!plan(&c).is_ours);

    /* Without a mark in the settings an empty remark says nothing. */
    c.job.mark = TEXT_NONE;
    r->remark = TEXT_NONE;
    CHECK(!plan(&c).is_ours);
}

/* A change of the TTL alone says that the value is the same, so that whose it is stays as it was. */
static void test_other_ttl(void)
{
    struct plan_case c;
    begin(&c);
    add(&c, "r1", "192.0.2.2")->found.ttl = 60;
    CHECK(plan(&c).act == PLAN_CHANGE && plan(&c).is_same && !plan(&c).is_ours);
    c.job.tried_value = TEXT("192.0.2.2");
    CHECK(plan(&c).act == PLAN_CHANGE && plan(&c).is_same && plan(&c).is_ours);
    c.job.value = TEXT("192.0.2.9");
    CHECK(plan(&c).act == PLAN_CHANGE && !plan(&c).is_same);
}

/* A tried value of which the answer was lost is changed into the next one, not left beside it. */
static void test_tried_before(void)
{
    struct plan_case c;
    begin(&c);
    c.job.type = DNS_TXT;
    c.job.value = TEXT("new");
    add(&c, "r1", "foreign");
    add(&c, "r2", "tried");
    CHECK(plan(&c).act == PLAN_ADD);
    c.job.tried_value = TEXT("tried");
    CHECK(plan(&c).act == PLAN_CHANGE && plan(&c).record == &c.records[1]);
}

/* MX values are the same only with the same priority. */
static void test_priorities(void)
{
    struct plan_case c;
    begin(&c);
    c.job.type = DNS_MX;
    c.job.value = c.job.tried_value = TEXT("mail.example.com");
    c.job.priority = 10;
    c.job.tried_priority = 20;
    add(&c, "r1", "mail.example.com")->found.priority = 10;
    CHECK(plan(&c).act == PLAN_KEEP && !plan(&c).is_ours);
    c.job.tried_priority = 10;
    CHECK(plan(&c).act == PLAN_KEEP && plan(&c).is_ours);
}

/* Of the types that are no sets somebody else's record is not even given our TTL, and no id of it is kept. */
static void test_foreign_text(void)
{
    struct plan_case c;
    begin(&c);
    c.job.type = DNS_TXT;
    c.job.value = TEXT("same");
    add(&c, "r1", "same")->found.ttl = 60;
    CHECK(plan(&c).act == PLAN_KEEP && !plan(&c).is_ours && plan(&c).id_after.bytes == 0);
    c.job.tried_value = TEXT("same");
    CHECK(plan(&c).act == PLAN_CHANGE && plan(&c).is_ours);

    /* Ours that became stale goes, and what is left is not ours. */
    c.job.tried_value = TEXT_NONE;
    c.job.provider_id = TEXT("r2");
    c.job.is_ours = true;
    add(&c, "r2", "stale");
    CHECK(plan(&c).act == PLAN_DROP_STALE && plan(&c).record == &c.records[1]);
    CHECK(!plan(&c).is_ours && plan(&c).id_after.bytes == 0);
}

/* A record of which we keep the id without having written it is never dropped for another one. */
static void test_foreign_is_not_dropped(void)
{
    struct plan_case c;
    begin(&c);
    add(&c, "r1", "192.0.2.1");
    add(&c, "r2", "192.0.2.2");
    c.job.provider_id = TEXT("r1");
    CHECK(plan(&c).act == PLAN_KEEP && plan(&c).record == &c.records[1] && !plan(&c).is_ours);
    c.job.is_ours = true;
    CHECK(plan(&c).act == PLAN_DROP_STALE && plan(&c).record == &c.records[0]);
    CHECK_TEXT(plan(&c).id_after, "r2");

    /* But for a swap: the sibling puts its value back. */
    c.job.is_ours = false;
    add_sibling(&c, "r2", "192.0.2.7");
    CHECK(plan(&c).act == PLAN_WAIT);
    add_sibling(&c, "r2", "192.0.2.1");
    CHECK(plan(&c).act == PLAN_DROP_STALE && plan(&c).must_wait);
}

/* One record that serves two of ours is left to the other when its holder moves on; otherwise it is changed. */
static void test_shared(void)
{
    struct plan_case c;
    begin(&c);
    add(&c, "r1", "192.0.2.1");
    c.job.provider_id = TEXT("r1");
    c.job.is_ours = true;
    add_sibling(&c, "", "192.0.2.1");
    CHECK(plan(&c).act == PLAN_ADD);
    add_sibling(&c, "gone", "192.0.2.1");
    CHECK(plan(&c).act == PLAN_ADD);
    add(&c, "r2", "192.0.2.5");
    add_sibling(&c, "r2", "192.0.2.1");
    CHECK(plan(&c).act == PLAN_CHANGE && plan(&c).record == &c.records[0]);
}

/* What is taken away: the record of our id unless a sibling has it now; else one of our value that is nobody's. */
static void test_remove(void)
{
    struct plan_case c;
    begin(&c);
    c.job.action = DNS_REMOVE;
    add(&c, "r1", "192.0.2.1");
    add(&c, "r2", "192.0.2.2");
    CHECK(provider_plan_remove(&c.job, c.records, c.count) == &c.records[1]);
    c.job.provider_id = TEXT("r1");
    CHECK(provider_plan_remove(&c.job, c.records, c.count) == &c.records[0]);
    add_sibling(&c, "r1", "192.0.2.1");
    CHECK(provider_plan_remove(&c.job, c.records, c.count) == NULL);
    c.job.provider_id = TEXT_NONE;
    add_sibling(&c, "r2", "192.0.2.7");
    CHECK(provider_plan_remove(&c.job, c.records, c.count) == NULL);

    /* Of another value by now, which a sibling wants: it is that one's. */
    c.job.provider_id = TEXT("r1");
    CHECK(provider_plan_remove(&c.job, c.records, c.count) == &c.records[0]);
    add_sibling(&c, "", "192.0.2.1");
    CHECK(provider_plan_remove(&c.job, c.records, c.count) == NULL);
    c.job.provider_id = TEXT("r3");
    CHECK(provider_plan_remove(&c.job, c.records, c.count) == NULL);
}

int main(void)
{
    test_found();
    test_other_ttl();
    test_tried_before();
    test_priorities();
    test_foreign_text();
    test_foreign_is_not_dropped();
    test_shared();
    test_remove();
    return unit_end();
}
