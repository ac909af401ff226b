/* edge/netlink.c: the kernel's list of addresses, and its news. What needs root runs in a
 * network namespace of its own and is left out without root. */
#include "edge/netlink.h"
#include "unit.h"

#include <sched.h>
#include <unistd.h>

enum { GUARD_MS = 10000, LIST_MAX = 64 };

static uv_loop_t *loop;
static struct netlink *netlink;
static struct interface_address list[LIST_MAX];
static unsigned list_count, report_count;
static bool is_guard_over;

static void on_report(void *context, const struct interface_address *addresses, unsigned count)
{
    CHECK(context == list);
    CHECK(count <= LIST_MAX);
    list_count = count <= LIST_MAX ? count : LIST_MAX;
    if (list_count > 0) memcpy(list, addresses, list_count * sizeof list[0]);
    report_count++;
}

static void on_report_close(void *context, const struct interface_address *addresses,
                            unsigned count)
{
    on_report(context, addresses, count);
    netlink_close(netlink);
}

static void on_guard(uv_timer_t *timer)
{
    (void)timer;
    is_guard_over = true;
}

/* Until there is a report or the time is over; how long that took. */
static uint64_t run_until_report(uint64_t wait_ms)
{
    uv_timer_t guard;
    unsigned before = report_count;
    uint64_t start_ns = uv_hrtime();
    is_guard_over = false;
    uv_timer_init(loop, &guard);
    uv_timer_start(&guard, on_guard, wait_ms, 0);
    while (report_count == before && !is_guard_over) uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&guard, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    return (uv_hrtime() - start_ns) / 1000000;
}

static const struct interface_address *find(const char *interface, const char *address)
{
    struct ip_address wanted;
    CHECK(ip_parse(text_of(address), &wanted));
    for (unsigned i = 0; i < list_count; i++) {
        if (strcmp(list[i].interface, interface) == 0 && ip_equal(&list[i].address, &wanted)) {
            return &list[i];
        }
    }
    return NULL;
}

/* The list comes by itself after the start, loopback included, and does not come again
 * unchanged. */
static void test_start(void)
{
    netlink = netlink_open(loop, on_report, list);
    if (!CHECK(netlink != NULL)) return;
    CHECK(report_count == 0);
    run_until_report(GUARD_MS);
    CHECK(report_count == 1);
    const struct interface_address *lo = find("lo", "127.0.0.1");
    if (CHECK(lo != NULL)) CHECK(lo->prefix_bits == 8 && lo->flags == 0 && lo->address.family == 4);
    netlink_close(netlink);
    CHECK(uv_run(loop, UV_RUN_DEFAULT) == 0);
}

/* Closing at once, and from within the report, leaves nothing behind. */
static void test_close(void)
{
    netlink = netlink_open(loop, on_report, list);
    unsigned before = report_count;
    netlink_close(netlink);
    CHECK(uv_run(loop, UV_RUN_DEFAULT) == 0);
    CHECK(report_count == before);

    netlink = netlink_open(loop, on_report_close, list);
    CHECK(uv_run(loop, UV_RUN_DEFAULT) == 0);
    CHECK(report_count == before + 1);
}

static void ip(const char *arguments)
{
    char command[256];
    snprintf(command, sizeof command, "ip %s", arguments);
    if (system(command) != 0) printf("    failed: %s\n", command);
}

/* Every change of an address is reported within a second, once for changes made together. */
static void test_news(void)
{
    if (unshare(CLONE_NEWNET) != 0 || system("ip -V >/dev/null 2>&1") != 0) {
        printf("    no root or no ip program: test_news is left out\n");
        return;
    }
    ip("link set lo up");
    netlink = netlink_open(loop, on_report, list);
    run_until_report(GUARD_MS);
    CHECK(find("lo", "127.0.0.1") != NULL);

    ip("link add test0 type veth peer name test1");
    ip("link set test0 up");
    ip("addr add 192.0.2.7/24 dev test0");
    ip("addr add 192.0.2.8/24 dev test0"); /* "secondary", the bit of IPv6's "temporary" */
    ip("-6 addr add 2001:db8::7/64 dev test0 nodad");
    CHECK(run_until_report(GUARD_MS) < 1000);
    while (run_until_report(100) < 100) { /* the link-local address appears on its own time */
    }
    const struct interface_address *found = find("test0", "192.0.2.7");
    if (CHECK(found != NULL)) CHECK(found->prefix_bits == 24 && found->flags == 0);
    found = find("test0", "192.0.2.8");
    if (CHECK(found != NULL)) CHECK(found->flags == 0);
    found = find("test0", "2001:db8::7");
    if (found == NULL) printf("    no IPv6 here\n");
    if (found != NULL) CHECK(found->prefix_bits == 64 && found->flags == 0);

    unsigned before = report_count;
    ip("addr del 192.0.2.8/24 dev test0");
    CHECK(run_until_report(GUARD_MS) < 1000);
    CHECK(report_count == before + 1);
    CHECK(find("test0", "192.0.2.8") == NULL && find("test0", "192.0.2.7") != NULL);

    ip("addr add 192.0.2.20 peer 192.0.2.21 dev test0");
    CHECK(run_until_report(GUARD_MS) < 1000);
    CHECK(find("test0", "192.0.2.20") != NULL && find("test0", "192.0.2.21") == NULL);

    if (find("test0", "2001:db8::7") != NULL) {
        ip("-6 addr change 2001:db8::7/64 dev test0 preferred_lft 0");
        CHECK(run_until_report(GUARD_MS) < 1000);
        found = find("test0", "2001:db8::7");
        if (CHECK(found != NULL)) CHECK(found->flags == ADDRESS_DEPRECATED);
    }
    ip("link del test0");
    CHECK(run_until_report(GUARD_MS) < 1000);
    while (run_until_report(100) < 100) {
    }
    CHECK(find("test0", "192.0.2.20") == NULL && find("lo", "127.0.0.1") != NULL);
    netlink_close(netlink);
    CHECK(uv_run(loop, UV_RUN_DEFAULT) == 0);
}

/* Many changes at once, more than the socket's buffer holds, end in the right list (ENOBUFS). */
static void test_flood(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0 || system("ip -V >/dev/null 2>&1") != 0) {
        return;
    }
    netlink = netlink_open(loop, on_report, list);
    run_until_report(500);
    ip("link add test0 type veth peer name test1");
    ip("link set test0 up");
    static const char flood[] = "for i in 1 2 3 4 5 6; do for k in $(seq 1 250); do "
                                "echo addr add 10.0.$i.$k/32 dev test0; "
                                "echo addr del 10.0.$i.$k/32 dev test0; "
                                "done; done | ip -batch -";
    CHECK(system(flood) == 0);
    ip("addr add 192.0.2.9/24 dev test0");
    for (int i = 0; i < 20 && find("test0", "192.0.2.9") == NULL; i++) run_until_report(1000);
    CHECK(find("test0", "192.0.2.9") != NULL && find("test0", "10.0.1.1") == NULL);
    netlink_close(netlink);
    CHECK(uv_run(loop, UV_RUN_DEFAULT) == 0);
}

int main(void)
{
    loop = uv_default_loop();
    test_start();
    test_close();
    test_news();
    test_flood();
    CHECK(uv_loop_close(loop) == 0);
    return unit_end();
}
